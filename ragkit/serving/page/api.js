// The server's HTTP API. Its address follows from this module's, whatever prefix it is mounted at.

import { words } from "./words.js";

/** The page's own address, for links that people share. */
export const home = new URL("../", import.meta.url);

const KEY = `ragkit token ${home.pathname}`;
let token = stored(() => sessionStorage.getItem(KEY));
let unlocking = null;

/** A failed request, with a message for the reader. */
export class RequestError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** `ask` is set by the page: it asks for the access token; its argument says whether one was refused. */
export const lock = {
  ask: async () => Promise.reject(new RequestError(words("failure.token"), 401)),
};

export const corpus = async () => (await call("corpus")).json();

export const documentOf = async (id) => (await call(`documents/${encodeURIComponent(id)}`)).json();

/** Begins a conversation, with what was asked before in one that the server has lost. */
export const begin = async (history, signal) =>
  (await (await call("conversations", { body: { history }, signal })).json()).id;

/** The OpenAPI document. */
export const description = async () => (await call("../openapi.json")).json();

/** The header that carries the token, if there is one. */
export const authorization = () => (token ? { Authorization: `Bearer ${token}` } : {});

export const feedback = (body) => call("feedback", { body });

/** Asks, and yields `[event, data]`: found, then sentences if a model writes, then answer. */
export async function* ask(conversation, body, signal) {
  const path = `conversations/${encodeURIComponent(conversation)}/ask`;
  const response = await call(path, { body, signal, accept: "text/event-stream" });
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    yield ["answer", await response.json()];
    return;
  }
  for await (const [event, data] of events(response.body)) {
    if (event === "error") throw new RequestError(words("failure.server", { message: data.error.message }));
    yield [event, data];
    if (event === "answer") return;
  }
  throw new RequestError(words("failure.ended"));
}

async function call(path, { body, signal, accept = "application/json" } = {}) {
  const response = await fetchOrExplain(new URL(`v1/${path}`, home), {
    method: body ? "POST" : "GET",
    headers: {
      Accept: accept,
      "Accept-Language": document.documentElement.lang, // which the reader may have chosen
      ...(body && { "Content-Type": "application/json" }),
      ...authorization(),
    },
    body: body && JSON.stringify(body),
    signal,
  });
  if (response.status === 401) {
    await unlock();
    return call(path, { body, signal, accept });
  }
  if (!response.ok) throw await errorFrom(response);
  return response;
}

async function fetchOrExplain(url, request) {
  try {
    return await fetch(url, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError(words("failure.unreachable"));
  }
}

async function errorFrom(response) {
  try {
    const { message } = (await response.json()).error;
    return new RequestError(words("failure.server", { message }), response.status);
  } catch {
    const status = String(response.status);
    return new RequestError(words("failure.status", { status }), response.status);
  }
}

/** Ask for the token; concurrent calls that were refused share one form. */
async function unlock() {
  unlocking ??= lock.ask(Boolean(token)).finally(() => (unlocking = null));
  token = await unlocking;
  stored(() => sessionStorage.setItem(KEY, token));
}

/** Use storage, which another site's frame may forbid; what it has then lasts as long as the page. */
export function stored(use) {
  try {
    return use();
  } catch {
    return null;
  }
}

/** Server-sent events of a POST, which EventSource cannot make. */
async function* events(stream) {
  let rest = "";
  for await (const piece of pieces(stream.pipeThrough(new TextDecoderStream()).getReader())) {
    const blocks = (rest + piece).split(/\r\n\r\n|\n\n|\r\r/);
    rest = blocks.pop();
    yield* blocks.map(event).filter(Boolean);
  }
}

async function* pieces(reader) {
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError(words("failure.lost"));
  }
}

function event(block) {
  const fields = block.split(/\r\n|\n|\r/).map((line) => /^(\w+): ?(.*)$/.exec(line));
  const values = (name) => fields.filter((field) => field?.[1] === name).map((field) => field[2]);
  const data = values("data").join("\n");
  return data && [values("event")[0] ?? "message", JSON.parse(data)];
}
