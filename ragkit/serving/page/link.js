// A thread as a link: its questions in the fragment, which no server is sent.

import { home } from "./api.js";

const MOST = 20; // a link asks at most so many questions by itself

/** `#q=…&q=…&k=5&g=…` */
export function fragment(questions, k, generation) {
  const pairs = questions.slice(-MOST).map((question) => ["q", question]);
  return `#${new URLSearchParams([...pairs, ["k", k], ["g", generation]])}`;
}

/** The same on the page's own address, also from inside the widget. */
export const address = (...thread) => new URL(fragment(...thread), home).href;

/** What a fragment asks for, or null. */
export function read(hash) {
  const given = new URLSearchParams(hash.slice(1));
  const questions = given
    .getAll("q")
    .filter((question) => question.trim())
    .slice(0, MOST);
  const k = Number(given.get("k"));
  const usable = Number.isInteger(k) && k >= 1 && k <= 50;
  return questions.length ? { questions, k: usable ? k : 5, generation: given.get("g") } : null;
}
