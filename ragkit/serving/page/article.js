// The article itself: loaded once, with the cited passage tinted and its sentence marked.

import { documentOf } from "./api.js";
import { button, dressed, h, marks, outside, scrollable, table } from "./dom.js";
import { words } from "./words.js";

const stillness = matchMedia("(prefers-reduced-motion: reduce)");
const LIST = /\n\s*(?:[-*#•–]|\(?\d{1,3}[.)])\s/;

export class Article {
  #box;
  #loads = new Map();
  #shown = null;
  #paragraphs = [];
  #wanted = 0;

  /** `box` scrolls and holds the text. */
  constructor(box) {
    this.#box = box;
  }

  /** Set where there are several documents: goes back to the list of them. */
  all = null;

  /** Show a document from its beginning. */
  async open(id) {
    if (!(await this.#show(id))) return;
    this.undress();
    this.#box.scrollTo({ top: 0 });
  }

  /** Show the passage in its document, in view; with `focus` the reader is taken there. */
  async cite(passage, { focus = false } = {}) {
    const id = passage.citation.document_id;
    if (!(await this.#show(id))) return;
    this.#dress(passage);
    if (!this.#stands(passage)) {
      this.undress(); // nothing wrong is marked meanwhile
      this.#loads.delete(id); // what was loaded may be older than the answer
      this.#shown = null;
      if (!(await this.#show(id))) return;
      this.#dress(passage);
      if (!this.#stands(passage)) return this.#miss();
    }
    const target = this.#box.querySelector("mark") ?? this.#box.querySelector(".cited");
    if (!target) return;
    this.#scrollTo(target);
    if (!focus) return;
    target.tabIndex = -1;
    target.focus({ preventScroll: true });
  }

  /** Take the marks of the last passage away. */
  undress() {
    this.#dress(null);
  }

  /** A list to choose a document from. */
  list(documents, total) {
    this.#wanted++;
    this.#shown = null;
    const entry = (one) =>
      h(
        "li",
        {},
        button({ class: "plain", dir: "auto", lang: "", onclick: () => this.open(one.id) }, one.title),
      );
    const rest = total - documents.length;
    const count = total ? words("documents.count", { count: total }) : words("documents.none");
    const more = rest > 0 ? words("documents.more", { count: rest }) : "";
    this.#box.replaceChildren(
      h("h2", {}, count),
      h("ul", { class: "documents" }, ...documents.map(entry)),
      h("p", { class: "soft" }, more),
    );
  }

  async #show(id) {
    const turn = ++this.#wanted;
    if (this.#shown === id) return true;
    try {
      if (!this.#loads.has(id)) this.#loads.set(id, documentOf(id));
      const content = await this.#loads.get(id);
      if (turn !== this.#wanted) return false; // meanwhile another was asked for
      this.#write(content);
      this.#shown = id;
      return true;
    } catch (error) {
      this.#loads.delete(id);
      if (turn === this.#wanted) this.#fail(id, error);
      return false;
    }
  }

  #fail(id, error) {
    this.#shown = null;
    const again = button({ class: "quiet", onclick: () => this.open(id) }, words("try_again"));
    this.#box.replaceChildren(
      h("div", { class: "alert", role: "alert" }, h("p", {}, error.message), again),
    );
  }

  #write(content) {
    this.#paragraphs = [];
    const levels = [];
    const body = content.blocks.map((block) =>
      block.kind === "heading" ? heading(block, levels) : this.#part(block),
    );
    const text = h("article", { lang: "", dir: "auto" }, h("h2", {}, content.title), ...body);
    const source = outside(content.url, words("article.original"));
    const all = this.all && button({ class: "plain", onclick: this.all }, words("documents.all"));
    const headings = [...text.querySelectorAll("h3, h4")];
    const { lang, dir } = document.documentElement;
    const links = [all, source, this.#contents(headings)];
    text.firstChild.after(h("div", { class: "about", lang, dir }, ...links));
    this.#box.replaceChildren(text);
  }

  #part(block) {
    if (block.kind === "table")
      return table(block.rows, (tag, cell, more) => this.#text(cell, h(tag, more, cell.text)));
    if (block.kind === "properties") return this.#properties(block);
    if (block.kind === "code")
      return scrollable(words("article.code"), this.#text(block, h("pre", {}, block.text)));
    const lines = LIST.test(`\n${block.text}`) && "lines";
    return this.#text(block, h("p", { dir: "auto", class: lines }, block.text));
  }

  /** What can be marked: an element, and the text that it shows with its place. */
  #text({ start, end, text }, element) {
    this.#paragraphs.push({ start, end, text, element, dressed: false });
    return element;
  }

  /** A box, such as the infobox of an encyclopaedia's article. */
  #properties({ rows: [title, ...pairs] }) {
    const shown = (tag, cell) => this.#text(cell, h(tag, { dir: "auto" }, cell.text));
    const caption = shown("p", title.cells[0]);
    const listed = pairs.map(({ cells: [name, value] }) =>
      h("div", {}, shown("dt", name), shown("dd", value)),
    );
    return h("div", { class: "properties" }, caption, h("dl", {}, ...listed));
  }

  #contents(headings) {
    if (headings.length < 3) return null;
    const entry = (target) => {
      const go = () => this.#scrollTo(target);
      const properties = { class: "plain", dir: "auto", lang: "", onclick: go };
      return h("li", { class: target.localName }, button(properties, target.textContent));
    };
    return h("details", {}, h("summary", {}, words("article.contents")), h("ol", {}, ...headings.map(entry)));
  }

  /** An old answer's passage, and the text has changed since: nothing is marked rather than wrong. */
  #miss() {
    this.undress();
    this.#box.prepend(h("p", { class: "notice", role: "status" }, words("article.moved")));
    this.#box.scrollTo({ top: 0 });
  }

  /** Mark the passage in the paragraphs that it touches, and undo the one before. */
  #dress(passage) {
    const { start, end } = passage?.citation ?? { start: 0, end: 0 };
    const cited = { ranges: [{ start, end }], make: () => h("span", { class: "cited" }) };
    this.#box.querySelector(".notice")?.remove();
    for (const paragraph of this.#paragraphs) {
      const touched = paragraph.start < end && start < paragraph.end;
      if (!touched && !paragraph.dressed) continue;
      const layers = touched ? [cited, ...marks(passage)] : [];
      paragraph.element.replaceChildren(dressed(paragraph.text, paragraph.start, layers));
      paragraph.dressed = touched;
    }
  }

  /** Whether what is tinted is what was quoted; a table's cells are shown without their bars. */
  #stands({ citation: { start, end, quote } }) {
    const touched = this.#paragraphs.filter((part) => part.start < end && start < part.end);
    const quoted = Array.from(quote);
    const same = touched.every((part) => {
      const [from, to] = [Math.max(part.start, start), Math.min(part.end, end)];
      const shown = Array.from(part.text).slice(from - part.start, to - part.start);
      return shown.join("") === quoted.slice(from - start, to - start).join("");
    });
    return same && touched.length > 0;
  }

  /** By hand, since scrollIntoView would move the page around the widget too; glides if near. */
  #scrollTo(target) {
    const box = this.#box.getBoundingClientRect();
    const found = target.getBoundingClientRect();
    const room = Math.max(0, box.height - found.height) / 3;
    const by = found.top - box.top - room;
    const glides = Math.abs(by) < 2 * box.height && !stillness.matches;
    this.#box.scrollBy({ top: by, behavior: glides ? "smooth" : "instant" });
  }
}

/** A document's level becomes a depth under the page's own headings, without gaps. */
function heading(block, levels) {
  while (levels.length && levels.at(-1) >= block.level) levels.pop();
  levels.push(block.level);
  return h(`h${Math.min(levels.length + 2, 6)}`, { dir: "auto" }, block.text);
}
