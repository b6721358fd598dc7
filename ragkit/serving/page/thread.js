// The conversation: asks, shows the turns, and gives each its entry in the browser's history.

import { ask, begin } from "./api.js";
import { copy } from "./clipboard.js";
import { address } from "./link.js";
import * as trail from "./trail.js";
import { source, Turn } from "./turn.js";

const MOST = 6; // turns that a conversation remembers

export class Thread {
  #turns;
  #does;
  #conversation = null;
  #shown = new Map(); // by the id of what was asked: the turn's element and its answer
  #stop = null;

  k = 5;

  /** What was asked and answered: `{ id, question, standalone }`, oldest first. */
  asked = [];

  /** `turns`: where they are put. `does`: the page's `cite`, `ask`, `said` and `found`. */
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
    this.#stop = null;
  }

  /** Forget everything that was asked. */
  clear() {
    this.stop();
    this.#conversation = null;
    this.#shown.clear();
    this.asked = [];
    this.k = 5;
    this.#turns.replaceChildren();
  }

  /** Bring a turn into view and return its answer; null if it is not shown here. */
  revisit(id) {
    const turn = this.#shown.get(id);
    if (turn) reveal(turn.element);
    return turn?.answer ?? null;
  }

  /**
   * The answer, shown; what fails leaves no turn behind and is thrown. `standalone`: how the reader
   * wants it to be understood. `record`: whether it is a new entry of the browser's history.
   */
  async ask({ id = newId(), question, standalone = null }, { record = true } = {}) {
    const stop = (this.#stop = new AbortController());
    const turn = this.#begin(question);
    try {
      const answer = await this.#answer(turn, { question, standalone, k: this.k }, stop.signal);
      stop.signal.throwIfAborted();
      this.asked.push({ id, question, standalone });
      this.#shown.set(id, { element: turn.element, answer });
      if (record) trail.add(this.asked, answer, this.k);
      return answer;
    } catch (error) {
      turn.element.remove();
      throw error;
    } finally {
      if (this.#stop === stop) this.#stop = null;
    }
  }

  #begin(question) {
    const { k } = this;
    const { said } = this.#does;
    const link = (answer) => address(answer, k);
    const turn = new Turn(
      question,
      {
        ...this.#does,
        copyLink: (answer, node) => copy(link(answer), node, { what: "link", said }),
        copyAnswer: (answer, node) => copy(answer.markdown, node, { what: "answer", said }),
      },
      this.corpus,
    );
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

  /** Conversations expire, and servers are restarted; the next question then continues here. */
  async *#events(body, signal) {
    this.#conversation ??= await begin(this.#history(), signal);
    try {
      yield* ask(this.#conversation, body, signal);
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#conversation = await begin(this.#history(), signal);
      yield* ask(this.#conversation, body, signal);
    }
  }

  /** The last questions and the places of their answers; what is no question is not remembered. */
  #history() {
    const answers = this.asked.map(({ id }) => this.#shown.get(id)?.answer);
    return answers.filter((answer) => answer && !answer.remark).slice(-MOST).map(turnOf);
  }
}

/** The turn's question at the top of the conversation, without moving a page around the widget. */
function reveal(turn) {
  const box = turn.closest("#thread");
  box.scrollTop += turn.getBoundingClientRect().top - box.getBoundingClientRect().top + 1;
}

function turnOf(answer) {
  const { question, standalone, confidence } = answer;
  if (!answer.answered) return { question, standalone };
  const { id, citation, highlights, phrase } = source(answer);
  const place = ({ start, end }) => `${citation.document_id}#${start}-${end}`;
  const quote = highlights.length ? place(highlights[0]) : null;
  return { question, standalone, passage: id, quote, short: phrase && place(phrase), confidence };
}

const newId = () => Math.random().toString(36).slice(2);
