// What the reader thinks of an answer, where the server stores that.

import { feedback } from "./api.js";
import { button, h } from "./dom.js";
import { words } from "./words.js";

const LONGEST = 2000; // characters of a comment; the server's limit

/** Two thumbs and "This is wrong", about what `answer` returns by then. */
export function opinion(answer) {
  const box = h("div", { class: "opinion", role: "group", "aria-label": words("opinion.label") });
  let sending = false; // a double click says it once
  const send = async (verdict, comment = "") => {
    if (sending) return;
    sending = true;
    try {
      await feedback(record(answer(), verdict, comment));
    } finally {
      sending = false;
    }
    const thanks = h("p", { class: "soft", tabindex: "-1" }, words("opinion.thanks"));
    box.replaceChildren(thanks);
    thanks.focus();
  };
  const fail = (error) => {
    box.querySelector(".failed")?.remove();
    box.append(h("p", { class: "failed", role: "alert" }, error.message));
  };
  const choose = (verdict) => () => explain(box, (comment) => send(verdict, comment).catch(fail));
  box.append(
    thumb("up", words("opinion.good"), () => send("good").catch(fail)),
    thumb("down", words("opinion.bad"), choose("bad")),
    button({ class: "plain", onclick: choose("wrong") }, words("opinion.wrong")),
  );
  return box;
}

const thumb = (way, name, onclick) =>
  button({ class: `thumb ${way}`, title: name, onclick }, h("span", { class: "unseen" }, name));

/** Ask what is wrong before it is sent; the answer to that may be empty. */
function explain(box, send) {
  const before = [...box.childNodes];
  const opener = document.activeElement;
  const restore = () => {
    box.replaceChildren(...before);
    opener.focus();
  };
  const escape = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // it would close the widget
    restore();
  };
  const submit = (event) => {
    event.preventDefault();
    send(field.value.trim());
  };
  const name = words("opinion.what");
  const field = h("textarea", { rows: "2", dir: "auto", maxlength: LONGEST, "aria-label": name, placeholder: name });
  const note = h("p", { class: "soft" }, words("opinion.stored"));
  const go = h("button", { class: "quiet" }, words("send"));
  const leave = button({ class: "plain", onclick: restore }, words("cancel"));
  box.replaceChildren(h("form", { onsubmit: submit, onkeydown: escape }, field, note, go, leave));
  field.focus();
}

const record = (answer, verdict, comment) => ({
  question: answer.question,
  standalone: answer.standalone,
  answered: answer.answered,
  passages: answer.passages.map(({ id }) => id),
  short: answer.short?.quote ?? "",
  text: answer.text,
  generation: answer.index_generation,
  verdict,
  comment,
});
