// A question as a link: in the fragment, which no server is sent.

import { home } from "./api.js";

const MOST = 20; // a link asks at most so many questions by itself

/** `#q=…&s=…&k=5&g=…`; `s` is how the question was understood, where that differs. */
export function fragment({ question, standalone, index_generation }, k) {
  const understood = standalone === question ? [] : [["s", standalone]];
  const fields = [["q", question], ...understood, ["k", k], ["g", index_generation]];
  return `#${new URLSearchParams(fields)}`;
}

/** The same on the page's own address, also from inside the widget. */
export const address = (answer, k) => new URL(fragment(answer, k), home).href;

/** What a fragment asks for, or null. Several questions are those of one conversation. */
export function read(hash) {
  const given = new URLSearchParams(hash.slice(1));
  const k = Number(given.get("k"));
  const usable = Number.isInteger(k) && k >= 1 && k <= 50;
  const asked = questions(given).slice(0, MOST);
  return asked.length ? { asked, k: usable ? k : 5, generation: given.get("g") } : null;
}

/** Each `q`, with the `s` that follows it. */
function questions(given) {
  const asked = [];
  for (const [name, value] of given) {
    if (!value.trim()) continue;
    if (name === "q") asked.push({ question: value.trim() });
    else if (name === "s" && asked.length) asked.at(-1).standalone = value.trim();
  }
  return asked;
}
