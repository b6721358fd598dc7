// Copies text; where a browser forbids that, the reader copies it by hand.

import { h } from "./dom.js";

const LASTS = 2000; // milliseconds that a button says what it did

/** `node` is the button, `name` what is copied, `said` announces it. */
export async function copy(text, node, { name, said }) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return byHand(text, node, name); // without HTTPS, or inside a site that forbids it
  }
  node.dataset.label ??= node.textContent; // which a second click would find to be "Copied"
  node.textContent = "Copied";
  said(`${name} copied`);
  setTimeout(() => (node.textContent = node.dataset.label), LASTS);
}

function byHand(text, node, name) {
  const field = h("textarea", { class: "copied", readonly: true, rows: "1", "aria-label": name });
  field.value = text;
  node.replaceWith(field);
  field.select();
}
