// One question and its answer.

import { button, dressed, h, label, marks, outside, phrases, spoken, table } from "./dom.js";
import { opinion } from "./opinion.js";
import { number, parts, sentenceCase, words } from "./words.js";

const OTHERWISE = "it says otherwise"; // the reason of an answer that contradicts its question
const AROUND = 110; // how many characters of a passage are shown around its highlight
const FENCE = /^[ \t]*(`{3,}|~{3,}).*$/m;
const WARNINGS = {
  unsupported: "warning.unsupported",
  misattributed: "warning.misattributed",
  contradicted: "warning.contradicted",
};
let turns = 0;

export class Turn {
  #question;
  #does;
  #of;
  #speaking = false;
  #shown = null; // the answer, as far as it is known
  #body = h("div", { class: "body" });
  #claims = h("p", { class: "claims", dir: "auto" });

  /**
   * `does`: what the reader can do: `cite(passage, opener)`, `ask(question, standalone)`,
   * `copyAnswer(answer, button)`, `copyLink(answer, button)`.
   * `of`: the corpus, for how it speaks of itself.
   */
  constructor(question, does, of) {
    this.#question = question;
    this.#does = does;
    this.#of = of;
    const id = `turn-${++turns}`;
    const title = h("h2", { id, dir: "auto", lang: "" }, question);
    this.#body.append(h("p", { class: "looking" }, words("answer.looking")));
    this.element = h("section", { class: "turn", "aria-labelledby": id }, title, this.#body);
  }

  /** Show what retrieval alone found; a model may still write. */
  found(answer) {
    this.#write(answer, answer.answered && this.#of.llm !== null);
  }

  /** Append a checked sentence. */
  say(sentence) {
    this.#claims.append(...this.#claim(sentence, this.#shown));
  }

  /** Show the final answer. Unchanged parts are not replaced, so that readers keep their place. */
  finish(answer) {
    const claims = kept(answer);
    const speaking = answer.answered && claims.length > 0;
    if (!same(this.#shown, answer) || speaking !== this.#speaking) this.#write(answer, speaking);
    this.#shown = answer;
    this.#claims.replaceChildren(...claims.flatMap((sentence) => this.#claim(sentence, answer)));
    this.#claims.removeAttribute("aria-busy");
    if (speaking) this.#claims.after(h("p", { class: "soft byline" }, ...byline(answer.generated)));
  }

  /** The answer in one line, and the readings to choose from, to be read aloud. */
  static aloud(answer, of) {
    return [heard(answer, of), ...answer.choices.map(({ label }) => `${label}?`)].join(" ");
  }

  #write(answer, speaking) {
    this.#speaking = speaking;
    this.#shown = answer;
    const head = [this.#understood(answer), reply(answer), this.#choices(answer)];
    const stale = answer.stale && h("p", { class: "soft stale", role: "note" }, words("answer.stale"));
    this.#body.replaceChildren(
      ...[...head, ...this.#parts(answer, speaking), stale].filter(Boolean),
    );
  }

  #parts(answer, speaking) {
    if (answer.answered) return this.#answer(answer, speaking);
    return answer.reply ? this.#replied(answer) : this.#silence(answer);
  }

  #answer(answer, speaking) {
    const [best, ...others] = answer.passages;
    const told = speaking || answer.reply; // in other words than the article's
    this.#claims.replaceChildren();
    if (speaking) this.#claims.setAttribute("aria-busy", "true");
    const quote = h(
      "blockquote",
      { class: told ? "evidence" : "answer", dir: "auto", lang: "" },
      ...verbatim(answer),
    );
    return [
      speaking && this.#claims,
      leading(best),
      !told && answer.short && h("p", { class: "short", dir: "auto", lang: "" }, answer.short.quote),
      quote,
      h("p", { class: "source" }, this.#cite(best, label(best.citation))),
      h("p", { class: "facts" }, sureness(answer), ...this.#copies(), this.#outside(best)),
      this.#opinion(),
      others.length > 0 &&
        h(
          "details",
          { class: "others" },
          h("summary", {}, words("answer.others", { count: others.length })),
          this.#list(others),
        ),
    ];
  }

  /** What stands below a reply: the passages that it is about, if there are some. */
  #replied(answer) {
    if (!answer.passages.length) return [];
    return [
      h("p", { class: "facts" }, ...this.#copies()),
      this.#opinion(),
      h("div", { class: "nearest" }, h("h3", {}, words("answer.passages")), this.#list(answer.passages)),
    ];
  }

  /** The readings of a question that has several, each a button that asks it. */
  #choices({ choices, reply }) {
    if (!choices.length) return null;
    const question = words("answer.which");
    const items = choices.map((choice) => {
      const ask = () => this.#does.ask(choice.question, choice.question);
      return h("li", {}, button({ class: "quiet", dir: "auto", lang: "", onclick: ask }, choice.label));
    });
    return h(
      "div",
      { class: "choices", role: "group", "aria-label": question },
      !reply && h("p", {}, question),
      h("ul", {}, ...items),
    );
  }

  #silence(answer) {
    const reason = answer.reason && h("span", { class: "soft" }, ` ${why(answer)}`);
    const [best, ...others] = answer.passages;
    const instead = answer.reason === OTHERWISE && best;
    const nearest = instead ? others : answer.passages;
    return [
      h("p", { class: "silence" }, silence(answer, this.#of), reason),
      instead &&
        h(
          "div",
          { class: "instead" },
          h("h3", {}, words("answer.instead")),
          h("blockquote", { class: "evidence", dir: "auto", lang: "" }, ...highlighted(best)),
          h("p", { class: "source" }, this.#cite(best, label(best.citation))),
        ),
      h("p", { class: "facts" }, ...this.#copies()),
      this.#opinion(),
      nearest.length > 0 &&
        h(
          "div",
          { class: "nearest" },
          h("h3", {}, words("answer.nearest")),
          this.#list(nearest),
        ),
    ];
  }

  #list(passages) {
    const items = passages.map((passage) =>
      h(
        "li",
        { value: String(passage.rank) },
        h(
          "p",
          { class: "where" },
          h("span", { class: "rank" }, `${number(passage.rank)}\u2002`),
          this.#cite(passage, label(passage.citation, this.#of.counts.documents > 1)),
        ),
        h("div", { class: "excerpt", dir: "auto", lang: "" }, ...excerpt(passage)),
        this.#outside(passage),
      ),
    );
    return h("ol", { class: "passages" }, ...items);
  }

  /** What opens the article at the passage. */
  #cite(passage, content, name) {
    const properties = { class: "cite", dir: "auto", "aria-label": name };
    const node = button(
      { ...properties, onclick: () => this.#does.cite(passage, node) },
      ...content,
    );
    return node;
  }

  /** What can be taken along: the answer with its sources, and the link to it. */
  #copies() {
    const copying = (copy, name) => {
      const node = button({ class: "plain", onclick: () => copy(this.#shown, node) }, words(name));
      return node;
    };
    return [copying(this.#does.copyAnswer, "copy.do"), copying(this.#does.copyLink, "copy.do_link")];
  }

  #opinion() {
    return this.#of.feedback && opinion(() => this.#shown);
  }

  #outside(passage) {
    const { link, citation } = passage;
    return outside(
      link ?? citation.url,
      words("answer.original"),
      words("answer.original_of", { place: spoken(citation) }),
    );
  }

  #understood(answer) {
    if (answer.standalone === answer.question) return null;
    const box = h("div", { class: "understood" });
    const question = h("q", { dir: "auto", lang: "" }, answer.standalone);
    const change = button(
      { class: "plain", onclick: () => this.#rephrase(box, answer) },
      words("answer.rephrase"),
    );
    box.append(
      h("p", {}, ...parts("answer.understood", { question }), " "),
      change,
    );
    return box;
  }

  #rephrase(box, answer) {
    const field = h("input", {
      dir: "auto",
      "aria-label": words("answer.rephrase_label"),
      required: true,
    });
    field.value = answer.standalone;
    const before = [...box.childNodes];
    const restore = () => {
      box.replaceChildren(...before);
      before.at(-1).focus();
    };
    const send = (event) => {
      event.preventDefault();
      box.replaceChildren(...before);
      this.#does.ask(this.#question, field.value.trim());
    };
    const escape = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation(); // it would close the widget
      restore();
    };
    const leave = button({ class: "plain", onclick: restore }, words("cancel"));
    const go = h("button", { class: "quiet" }, words("ask"));
    box.replaceChildren(h("form", { onsubmit: send, onkeydown: escape }, field, go, leave));
    field.select();
  }

  /** A model's sentence and the numbers of the passages that it rests on; nothing if dropped. */
  #claim(said, answer) {
    if (!said.kept) return [];
    const numbers = said.passages.flatMap((rank) => {
      const passage = answer.passages[rank - 1];
      const name = passage && words("answer.passage", { rank, place: spoken(passage.citation) });
      return passage ? [this.#cite(passage, [number(rank)], name)] : [];
    });
    const doubt = WARNINGS[said.status];
    const note = doubt && h("small", { title: said.reason }, ` ${words(doubt)}`);
    return [
      h("span", { class: said.status }, said.text),
      note,
      h("span", { class: "numbers" }, ...numbers),
      " ",
    ].filter(Boolean);
  }
}

/** A model's sentences that were not dropped. */
const kept = (answer) => answer.generated?.sentences.filter((sentence) => sentence.kept) ?? [];

function heard(answer, of) {
  if (answer.reply) return answer.reply;
  if (!answer.answered) return `${silence(answer, of)} ${why(answer)}`;
  const doubt = (status) => (WARNINGS[status] ? words(WARNINGS[status]) : "");
  const claims = kept(answer).map(({ text, status }) => `${text} ${doubt(status)}`);
  const text = claims.length ? claims.join(" ") : answer.text;
  const short = !claims.length && answer.short ? `${answer.short.quote}. ` : "";
  const place = spoken(answer.passages[0].citation);
  return words("answer.aloud", { confidence: sure(answer), text: short + text, place });
}

function silence(answer, of) {
  if (answer.generated) return words("answer.unsupported");
  return words(of.counts.documents === 1 ? "answer.article_silent" : "answer.corpus_silent");
}

/** What a chatbot says by itself, such as to "thanks". */
const reply = (answer) => answer.reply && h("p", { class: "reply", dir: "auto" }, answer.reply);

const sure = ({ confidence_words }) => words(`confidence.${confidence_words}`);

/** The passage that an answer rests on: the first that a model's sentences cite, else the best. */
export function source({ generated, passages }) {
  const good = generated?.sentences.filter(({ kept, status }) => kept && !WARNINGS[status]) ?? [];
  const [rank] = good.flatMap((sentence) => sentence.passages);
  return passages.find((passage) => passage.rank === rank) ?? passages[0];
}

/** Why there is no answer, as a sentence. */
function why({ reason }) {
  if (!reason) return "";
  return sentenceCase(words("reason.sentence", { reason: words(`reason.${reason}`) }));
}

const visible = ({ answered, reply, choices, passages }) =>
  JSON.stringify([answered, reply, choices, passages]);

const same = (one, other) => one !== null && visible(one) === visible(other);

/** The best passage's highlights, which are the answer's words, with the phrase marked. */
function verbatim(answer) {
  const [best] = answer.passages;
  const quoted = best.highlights.map((one) => one.quote).join(" ");
  if (quoted !== answer.text && !answer.generated) return [answer.text];
  return highlighted(best);
}

/** What introduces a passage's sentences, as far as they are not shown with it. */
function leading({ kind, lead }) {
  const text = kind === "code" ? lead?.quote.replace(FENCE, "").trimEnd() : lead?.quote;
  return kind !== "table" && text && h("p", { class: "leading", dir: "auto", lang: "" }, text);
}

/** A passage's highlights as its document shows them, with the phrase marked. */
function highlighted(passage) {
  const marked = ({ text, start }) => dressed(text, start, phrases(passage));
  if (passage.kind === "table")
    return [table(passage.rows, (tag, cell, more) => h(tag, more, marked(cell)))];
  const quotes = passage.highlights.map(({ quote, start }) => marked({ text: quote, start }));
  const joined = (gap) => quotes.flatMap((quote, place) => (place ? [gap, quote] : [quote]));
  return passage.kind === "code" ? [h("pre", {}, ...joined("\n"))] : joined(" ");
}

/** The passage around its highlight, which is marked. */
function excerpt(passage) {
  if (passage.kind !== "paragraph") return highlighted(passage);
  const { start, end } = passage.citation;
  const points = Array.from(passage.text);
  const first = passage.highlights[0] ?? { start, end: start };
  let from = Math.max(start, first.start - AROUND);
  let to = Math.min(end, first.end + AROUND);
  while (start < from && from < first.start && points[from - start - 1] !== " ") from++;
  while (first.end < to && to < end && points[to - start] !== " ") to--;
  const text = points.slice(from - start, to - start).join("");
  return [from > start && "… ", dressed(text, from, marks(passage)), to < end && " …"].filter(
    Boolean,
  );
}

function sureness(answer) {
  const bar = h("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--sure", answer.confidence);
  const percent = words("confidence.of_100", { percent: Math.round(answer.confidence * 100) });
  const heard = h("span", { class: "unseen" }, words("confidence.label"));
  return h("span", { class: "sure", title: percent }, bar, heard, sure(answer));
}

function byline(generated) {
  const key = generated.finish === "stop" ? "answer.written_by" : "answer.cut_short";
  return parts(key, { model: h("bdi", {}, generated.model) });
}
