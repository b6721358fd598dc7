// Elements made from text. Whatever the corpus, a question or a model says becomes text nodes.

import { words } from "./words.js";

/** An element; properties named `on…` are listeners, false and null ones are left out. */
export function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(
    ...children.filter((child) => child !== null && child !== undefined && child !== false),
  );
  return node;
}

/** A button that does one thing and never submits. */
export const button = (properties, ...children) =>
  h("button", { type: "button", ...properties }, ...children);

/** A link out of here, or null where the address is anything but http or https. */
export function outside(address, label, name) {
  const url = parsed(address);
  if (!["http:", "https:"].includes(url?.protocol)) return null;
  const page = url.origin + url.pathname; // what a print shows
  const apart = { target: "_blank", rel: "noopener noreferrer", "data-page": page };
  return h("a", { class: "outside", href: url.href, "aria-label": name, ...apart }, label);
}

function parsed(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

/** `Title § Section › Subsection, p. 3`, each part in its own direction; `dir="auto"` takes the first's. */
export function label({ title, section, page }, withTitle = true) {
  const parts = section.map(isolated);
  const path = parts.flatMap((part, place) => (place ? [" › ", part] : [part]));
  const end = page ? [words("list.separator"), words("place.page", { page: String(page) })] : [];
  if (!withTitle && path.length) return [...path, ...end];
  return [isolated(title), ...(path.length ? [" § ", ...path] : []), ...end];
}

/** Not a `bdi`, since `dir="auto"` does not look into one. */
const isolated = (text) => h("span", { class: "isolated", lang: "" }, text);

/** Rows as a table; `make` returns a cell from its tag, its text and its attributes. */
export function table(rows, make) {
  const widest = Math.max(...rows.map((row) => row.cells.length));
  const lines = rows.map(({ names, cells }) => {
    const tag = names ? "th" : "td";
    const colspan = cells.length === 1 && widest > 1 && widest;
    return h("tr", {}, ...cells.map((cell) => make(tag, cell, { dir: "auto", colspan })));
  });
  return scrollable(words("article.table"), h("table", {}, ...lines));
}

/** What may be wider than there is room: it can be scrolled by keyboard, too. */
export const scrollable = (name, ...children) =>
  h("div", { class: "wide", tabindex: "0", role: "group", "aria-label": name }, ...children);

/** Title, section and page as plain text, to be read aloud. */
export const spoken = ({ title, section, page }) =>
  [title, ...section, ...(page ? [words("place.page_aloud", { page: String(page) })] : [])].join(
    words("list.separator"),
  );

/**
 * `text`, which begins at code point `start` of its document, with each layer's ranges wrapped;
 * an outer layer comes first. Offsets are code points, so the text is cut by code points.
 */
export function dressed(text, start, layers) {
  const points = Array.from(text);
  const here = document.createDocumentFragment();
  dress(here, points, start, { start, end: start + points.length }, layers);
  return here;
}

function dress(parent, points, base, within, layers) {
  const written = (from, to) => points.slice(from - base, to - base).join("");
  if (!layers.length) return parent.append(written(within.start, within.end));
  const [{ ranges, make }, ...inner] = layers;
  let at = within.start;
  for (const range of ranges) {
    const part = { start: Math.max(range.start, at), end: Math.min(range.end, within.end) };
    if (part.start >= part.end) continue;
    if (at < part.start) dress(parent, points, base, { start: at, end: part.start }, inner);
    const wrap = make();
    dress(wrap, points, base, part, inner);
    parent.append(wrap);
    at = part.end;
  }
  if (at < within.end) dress(parent, points, base, { start: at, end: within.end }, inner);
}

const phrase = () => h("b", { class: "phrase" });

/** The layers of a passage: its highlighted sentences, and in them the phrase that answers. */
export const marks = (passage) => [
  { ranges: passage.highlights, make: () => h("mark") },
  { ranges: passage.phrase ? [passage.phrase] : [], make: phrase },
];

/** The layer of the phrase alone. */
export const phrases = (passage) => marks(passage).slice(1);
