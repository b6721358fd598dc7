// The page: wires the question box, the thread, the article and the address bar together.

import * as api from "./api.js";
import { Article } from "./article.js";
import { button, h } from "./dom.js";
import { read } from "./link.js";
import { Sheet } from "./sheet.js";
import { Thread } from "./thread.js";
import { Turn } from "./turn.js";

const at = (id) => document.getElementById(id);
const [box, notices, go] = [at("question"), at("notices"), at("go")];
const embedded = location.pathname.endsWith("/embed");
const touch = matchMedia("(pointer: coarse)");

const article = new Article(at("text"));
const behind = [document.querySelector("header"), document.querySelector("main")];
const sheet = new Sheet(at("article"), behind, { always: embedded, close: at("close") });
const thread = new Thread(at("turns"), { cite, again, said, found });
let corpus = null;
let eager = false; // asked before the corpus was met

document.documentElement.classList.toggle("embed", embedded);
api.lock.ask = token;
listen();
start();

async function start() {
  notices.replaceChildren();
  try {
    await meet();
  } catch (error) {
    return fail(error, start);
  }
  if (!sheet.over) showWhole();
  await replay(read(location.hash));
  if (eager) submit();
  if (!touch.matches && (!embedded || document.hasFocus())) box.focus();
}

/** Learn what the corpus is, and say it. */
async function meet() {
  corpus = thread.corpus = await api.corpus();
  const [first] = corpus.documents;
  const one = corpus.counts.documents === 1;
  at("title").textContent = one ? first.title : `${corpus.counts.documents} documents`;
  document.title = one ? `Ask: ${first.title}` : "Ask the documents";
  at("show").textContent = one ? "Article" : "Documents";
  at("welcome").replaceChildren(...welcome(one));
  article.all = one ? null : showWhole;
  empty(!at("turns").childElementCount);
}

function showWhole() {
  const [first] = corpus.documents;
  if (corpus.counts.documents === 1) article.open(first.id);
  else article.list(corpus.documents, corpus.counts.documents);
}

function welcome(one) {
  const { counts, documents, llm } = corpus;
  if (!counts.chunks)
    return [h("p", { class: "greeting" }, "There is nothing to ask yet: the corpus is empty.")];
  const names = documents
    .slice(0, 3)
    .map((document) => h("cite", { dir: "auto", lang: "" }, document.title));
  const listed = names.flatMap((name, place) => (place ? [", ", name] : [name]));
  const more = counts.documents > names.length && ` and ${counts.documents - names.length} more`;
  const writer = llm && [
    h("bdi", {}, llm),
    " writes, and each of its sentences is checked against the passages. ",
  ];
  const promise = `Answers are quoted word for word from ${counts.chunks.toLocaleString("en")} passages, and each is shown in its context.`;
  return [
    h("p", { class: "greeting" }, one ? "Ask the article." : "Ask the documents."),
    h("p", {}, ...listed, more),
    h("p", { class: "soft" }, ...(writer || []), promise),
  ];
}

function empty(yes) {
  at("welcome").hidden = !yes;
  at("anew").hidden = yes;
}

/** Ask what stands in the box, or what is given; it stays there until something was found. */
async function submit(question = box.value.trim(), standalone = null) {
  eager = !corpus;
  if (!question || thread.asking || !corpus) return false;
  notices.replaceChildren();
  busy(true);
  empty(false);
  try {
    const answer = await thread.ask(question, standalone);
    if (answer.index_generation !== corpus.generation) meet().catch(() => {}); // only the words
    said(Turn.aloud(answer, corpus));
    return true;
  } catch (error) {
    if (!box.value.trim()) write(question);
    fail(error, () => submit(question, standalone));
    return false;
  } finally {
    busy(false);
  }
}

/** Ask once more, understood as the reader wrote it. */
function again(question, standalone) {
  box.focus();
  submit(question, standalone);
}

/** What was found for a question, the first time that something is. */
function found(answer, question) {
  if (box.value.trim() === question) write("");
  if (touch.matches) box.blur(); // the keyboard would cover the answer
  if (!answer.answered) article.undress();
  else if (!sheet.over) article.cite(answer.passages[0]);
}

/** Show a citation that the reader chose, and take them there. */
function cite(passage, opener) {
  sheet.open(opener);
  article.cite(passage, { focus: true });
  said(`Shown in the article: ${passage.citation.section.at(-1) ?? passage.citation.title}`);
}

async function replay(shared) {
  if (!shared) return;
  thread.k = shared.k;
  const changed = shared.generation && shared.generation !== corpus.generation;
  for (const [place, question] of shared.questions.entries()) {
    if (await submit(question)) continue;
    return fail(null, () => replay({ ...shared, questions: shared.questions.slice(place) }));
  }
  if (changed)
    notices.append(
      h(
        "p",
        { class: "notice", role: "status" },
        "The corpus has changed since this link was made.",
      ),
    );
}

function fail(error, retry) {
  if (error?.name === "AbortError") return said("Stopped.");
  const message = sentenceCase(
    error?.message ?? notices.querySelector("p")?.textContent ?? "stopped.",
  );
  const again = button({ class: "quiet", onclick: () => retry() }, "Try again");
  notices.replaceChildren(
    h("div", { class: "alert", role: "alert" }, h("p", { dir: "auto" }, message), again),
  );
  empty(!at("turns").childElementCount);
}

const sentenceCase = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** Ask for the access token, until one is given. */
function token(refused) {
  return new Promise((resolve) => {
    const field = h("input", {
      id: "token",
      type: "password",
      required: true,
      autocomplete: "off",
    });
    const send = (event) => {
      event.preventDefault();
      form.remove();
      resolve(field.value.trim());
      box.focus();
    };
    const why = refused
      ? "This access token was refused."
      : "This server asks for an access token.";
    const name = h("label", { for: "token" }, "Access token");
    const form = h(
      "form",
      { class: "alert", onsubmit: send },
      h("p", { role: "alert" }, why),
      name,
      field,
      h("button", { class: "quiet" }, "Continue"),
    );
    notices.replaceChildren(form);
    field.focus();
  });
}

function said(words) {
  at("said").textContent = words;
}

function busy(yes) {
  at("turns").setAttribute("aria-busy", String(yes));
  go.textContent = yes ? "Stop" : "Ask";
}

function write(text) {
  box.value = text;
  fit();
}

/** The box is as high as what is typed. */
function fit() {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;
}

function listen() {
  box.addEventListener("input", fit);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  at("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    if (thread.asking) thread.stop();
    else submit();
  });
  at("anew").addEventListener("click", anew);
  at("show").addEventListener("click", showArticle);
  for (const link of document.querySelectorAll(".skip")) link.addEventListener("click", skip);
  addEventListener("keydown", keys);
  addEventListener("hashchange", follow);
  if (embedded && !touch.matches) addEventListener("focus", settle);
}

/** Opened or come back to inside another site: the question box is where to begin. */
function settle() {
  if (document.activeElement === document.body) box.focus();
}

function anew() {
  thread.anew();
  notices.replaceChildren();
  empty(true);
  if (!sheet.over) showWhole();
  said("New conversation");
  box.focus();
}

function showArticle() {
  sheet.open(at("show"));
  if (!at("text").childElementCount) showWhole();
}

/** A link was pasted over the address. */
function follow() {
  const shared = read(location.hash);
  if (!shared || thread.asking) return;
  anew();
  replay(shared);
}

/** The fragment belongs to the shared thread, so skipping must not write there. */
function skip(event) {
  event.preventDefault();
  const target = at(event.target.hash.slice(1));
  if (sheet.over && target === at("text")) showArticle();
  else target.focus();
}

function keys(event) {
  const typing = event.target.closest?.("input, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.focus();
  } else if (event.key === "Escape") {
    if (thread.asking) thread.stop();
    else if (embedded) leave();
  }
}

/** Tell the site around the widget, and nobody else, that the reader wants out. */
function leave() {
  const parent =
    location.ancestorOrigins?.[0] ?? (document.referrer && new URL(document.referrer).origin);
  if (parent && parent !== "null" && window.parent !== window)
    window.parent.postMessage({ ragkit: "close" }, parent);
}
