// Copies text; where a browser forbids that, the reader copies it by hand.

import { h } from "./dom.js";
import { words } from "./words.js";

const LASTS = 2000; // milliseconds that a button says what it did

/** `node` is the button, `what` is copied: "answer" or "link"; `said` announces it. */
export async function copy(text, node, { what, said }) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return byHand(text, node, words(`copy.${what}`)); // without HTTPS, or inside a site that forbids it
  }
  node.dataset.label ??= node.textContent; // which a second click would find to be "Copied"
  node.textContent = words("copy.done");
  said(words(`copy.${what}_done`));
  setTimeout(() => (node.textContent = node.dataset.label), LASTS);
}

function byHand(text, node, name) {
  const field = h("textarea", { class: "copied", readonly: true, rows: "1", "aria-label": name });
  field.value = text;
  node.replaceWith(field);
  field.select();
}
