// The browser's history: an entry for each question, so that Back and Forward walk through them.
// An entry's address is the link to its turn; its state, which is in no link, is the thread up to it.

import { fragment, read } from "./link.js";

const MOST = 20; // turns of a thread that an entry remembers
const framed = window.parent !== window;

/** Where the history stands: `{ asked, k, generation }`, or null at the beginning of a thread. */
export function here() {
  const link = read(location.hash);
  return link && { ...link, ...history.state };
}

/** Add an entry for the last of the turns that were asked, which has this answer. */
export const add = (asked, answer, k) => enter({ asked: asked.slice(-MOST) }, fragment(answer, k));

/** Let the present entry, whose link was asked, remember the turns. */
export const remember = (asked) => history.replaceState({ asked: asked.slice(-MOST) }, "");

/** Begin another thread. */
export function restart() {
  if (location.hash) enter(null, location.pathname + location.search);
}

/** Move a question from the query, where a form sent before the script ran puts it. */
export function adopt() {
  const query = new URLSearchParams(location.search);
  const question = query.get("q")?.trim();
  if (!query.has("q")) return;
  query.delete("q");
  const rest = String(query) && `?${query}`;
  const hash = question ? `#${new URLSearchParams([["q", question]])}` : location.hash;
  history.replaceState(null, "", location.pathname + rest + hash);
}

/** Back belongs to the site around a widget, so that a widget stays in one entry. */
function enter(state, url) {
  if (framed) history.replaceState(state, "", url);
  else history.pushState(state, "", url);
}
