// The conversation: asks, shows the turns, and keeps the address bar shareable.

import { ask, begin } from "./api.js";
import { address, fragment } from "./link.js";
import { Turn } from "./turn.js";

export class Thread {
  #turns;
  #does;
  #conversation = null;
  #questions = [];
  #stop = null;

  k = 5;

  /** `turns`: where they are put. `does`: the page's `cite`, `again`, `said` and `found`. */
  constructor(turns, does) {
    this.#turns = turns;
    this.#does = does;
  }

  /** Set by the page when it is known. */
  corpus = null;

  get asking() {
    return this.#stop !== null;
  }

  stop() {
    this.#stop?.abort();
  }

  /** Forget everything that was asked. */
  anew() {
    this.stop();
    this.#conversation = null;
    this.#questions = [];
    this.k = 5;
    this.#turns.replaceChildren();
    history.replaceState(null, "", location.pathname + location.search);
  }

  /** The answer, shown; what fails leaves no turn behind and is thrown. */
  async ask(question, standalone = null) {
    const stop = (this.#stop = new AbortController());
    const questions = [...this.#questions, standalone ?? question];
    const turn = this.#begin(question, questions);
    try {
      const answer = await this.#answer(turn, { question, standalone, k: this.k }, stop.signal);
      this.#questions = questions;
      history.replaceState(null, "", fragment(questions, this.k, answer.index_generation));
      return answer;
    } catch (error) {
      turn.element.remove();
      throw error;
    } finally {
      if (this.#stop === stop) this.#stop = null;
    }
  }

  #begin(question, questions) {
    const { k } = this;
    const link = (answer) => address(questions, k, answer.index_generation);
    const share = (answer, node) => copy(link(answer), node, this.#does.said);
    const turn = new Turn(question, { ...this.#does, copy: share }, this.corpus);
    this.#turns.append(turn.element);
    reveal(turn.element);
    return turn;
  }

  async #answer(turn, body, signal) {
    let answer = null;
    for await (const [event, data] of this.#events(body, signal)) {
      if (event === "sentence") {
        turn.say(data);
        continue;
      }
      if (event === "found") turn.found(data);
      else turn.finish(data);
      if (!answer) {
        this.#does.found(data, body.question);
        reveal(turn.element);
      }
      answer = data;
    }
    return answer;
  }

  /** Conversations expire; the next question then begins another one. */
  async *#events(body, signal) {
    this.#conversation ??= await begin(signal);
    try {
      yield* ask(this.#conversation, body, signal);
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#conversation = await begin(signal);
      yield* ask(this.#conversation, body, signal);
    }
  }
}

/** The turn's question at the top of the conversation, without moving a page around the widget. */
function reveal(turn) {
  const box = turn.closest("#thread");
  box.scrollTop += turn.getBoundingClientRect().top - box.getBoundingClientRect().top + 1;
}

async function copy(link, node, said) {
  try {
    await navigator.clipboard.writeText(link);
    node.textContent = "Link copied";
    said("Link copied");
  } catch {
    // Without HTTPS, or where a site forbids it, the reader copies by hand.
    const field = document.createElement("input");
    Object.assign(field, { value: link, readOnly: true, ariaLabel: "Link to this answer" });
    node.replaceWith(field);
    field.select();
    return;
  }
  setTimeout(() => (node.textContent = "Copy link"), 2000);
}
