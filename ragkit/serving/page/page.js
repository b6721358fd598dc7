// The page: wires the question box, the thread, the article and the address bar together.

import * as api from "./api.js";
import { Article } from "./article.js";
import { button, h } from "./dom.js";
import { Sheet } from "./sheet.js";
import { Thread } from "./thread.js";
import { tokenFrom } from "./token.js";
import * as trail from "./trail.js";
import { Turn } from "./turn.js";
import { parts, sentenceCase, words } from "./words.js";

const at = (id) => document.getElementById(id);
const [box, notices, go] = [at("question"), at("notices"), at("go")];
const embedded = location.pathname.endsWith("/embed");
const DRAFT = `ragkit draft ${api.home.pathname}`;
const touch = matchMedia("(pointer: coarse)");

const article = new Article(at("text"));
const behind = [document.querySelector("header"), document.querySelector("main")];
const sheet = new Sheet(at("article"), behind, { always: embedded, close: at("close") });
const thread = new Thread(at("turns"), { cite, ask: askAgain, said, found });
let corpus = null;
let eager = false; // asked before the corpus was met
let journeys = 0; // a replay ends where another journey begins

document.documentElement.classList.toggle("embed", embedded);
api.lock.ask = token;
trail.adopt();
listen();
takeOver();
restoreDraft();
start();

async function start() {
  notices.replaceChildren();
  try {
    await meet();
  } catch (error) {
    return fail(error, start);
  }
  if (!sheet.over) showWhole();
  await replay(trail.here());
  if (eager) submit();
  eager = false;
  if (!touch.matches && (!embedded || document.hasFocus())) box.focus();
}

/** Learn what the corpus is, and say it. */
async function meet() {
  corpus = thread.corpus = await api.corpus();
  const [first] = corpus.documents;
  const count = corpus.counts.documents;
  const one = count === 1;
  at("title").textContent = one ? first.title : words("documents.count", { count });
  at("title").lang = one ? "" : document.documentElement.lang;
  document.title = one ? words("page.title", { title: first.title }) : words("page.ask_documents");
  at("show").textContent = words(one ? "page.article" : "page.documents");
  at("welcome").replaceChildren(...welcome(one));
  article.all = one ? null : showWhole;
  empty(!at("turns").childElementCount);
}

function showWhole() {
  const [first] = corpus.documents;
  if (corpus.counts.documents === 1) article.open(first.id);
  else article.list(corpus.documents, corpus.counts.documents);
}

function welcome(one) {
  const { counts, documents, llm } = corpus;
  if (!counts.chunks)
    return [h("p", { class: "greeting" }, words("welcome.empty"))];
  const names = documents
    .slice(0, 3)
    .map((document) => h("cite", { dir: "auto", lang: "" }, document.title));
  const separator = words("list.separator");
  const listed = names.flatMap((name, place) => (place ? [separator, name] : [name]));
  const count = counts.documents - names.length;
  const titles = count > 0 ? parts("welcome.more", { titles: listed, count }) : listed;
  const writer = llm ? [...parts("welcome.writer", { model: h("bdi", {}, llm) }), " "] : [];
  const promise = words("welcome.promise", { count: counts.chunks });
  return [
    h("p", { class: "greeting" }, words(one ? "welcome.article" : "welcome.documents")),
    h("p", {}, ...titles),
    h("p", { class: "soft" }, ...writer, promise),
  ];
}

function empty(yes) {
  at("welcome").hidden = !yes;
  at("anew").hidden = yes;
}

/** Ask what stands in the box, or what is given; it stays there until something was found. */
async function submit(asked = { question: box.value.trim() }, options = {}) {
  if (!corpus) eager = true;
  if (!asked.question || thread.asking || !corpus) return false;
  notices.replaceChildren();
  busy(true);
  empty(false);
  try {
    const answer = await thread.ask(asked, options);
    if (answer.index_generation !== corpus.generation) meet().catch(() => {}); // only what it says of itself
    said(Turn.aloud(answer, corpus));
    return true;
  } catch (error) {
    if (options.record !== false && !box.value.trim()) write(asked.question);
    if (!at("turns").childElementCount) empty(true);
    if (error.name !== "AbortError") fail(error, () => submit(asked, options));
    return false;
  } finally {
    busy(thread.asking);
  }
}

/** Ask what the reader chose to ask: another reading, or the same question put otherwise. */
function askAgain(question, standalone = null) {
  box.focus();
  submit({ question, standalone });
}

/** What was found for a question, the first time that something is. */
function found(answer, question) {
  if (box.value.trim() === question) write("");
  if (touch.matches) box.blur(); // the keyboard would cover the answer
  showCited(answer);
}

/** The article beside the conversation follows the answer. */
function showCited(answer) {
  if (!answer.answered) article.undress();
  else if (!sheet.over) article.cite(answer.passages[0]);
}

/** Show a citation that the reader chose, and take them there. */
function cite(passage, opener) {
  sheet.open(opener);
  article.cite(passage, { focus: true });
  const place = passage.citation.section.at(-1) ?? passage.citation.title;
  said(words("page.shown", { place }));
}

/** Ask what a link asks, or the thread of an entry of the history. */
async function replay(wanted) {
  const journey = ++journeys;
  if (!wanted) return;
  thread.k = wanted.k;
  const changed = wanted.generation && wanted.generation !== corpus.generation;
  for (const [place, asked] of wanted.asked.entries()) {
    const isAnswered = await submit(asked, { record: false });
    if (journey !== journeys) return;
    if (isAnswered) continue;
    return fail(null, () => replay({ ...wanted, asked: wanted.asked.slice(place) }));
  }
  trail.remember(thread.asked);
  if (changed)
    notices.append(h("p", { class: "notice", role: "status" }, words("page.old_link")));
}

/** Back, Forward, or a link that was pasted over the address. */
function walk() {
  thread.stop();
  notices.replaceChildren();
  const wanted = trail.here();
  if (!corpus) return; // `start` asks what the address says by then
  if (!wanted) return showBeginning();
  const answer = thread.revisit(wanted.asked.at(-1).id);
  if (!answer) {
    thread.clear();
    return replay(wanted);
  }
  journeys++;
  showCited(answer);
  said(`${answer.question} ${Turn.aloud(answer, corpus)}`);
}

function halt() {
  thread.stop();
  said(words("page.stopped"));
}

/** Where the thread was not begun yet: the welcome, above what was asked since. */
function showBeginning() {
  journeys++;
  at("welcome").hidden = false;
  at("thread").scrollTop = 0;
  article.undress();
  said(words("page.beginning"));
}

function fail(error, retry) {
  const message = sentenceCase(
    error?.message ?? notices.querySelector("p")?.textContent ?? words("page.stopped"),
  );
  const again = button({ class: "quiet", onclick: () => retry() }, words("try_again"));
  notices.replaceChildren(
    h("div", { class: "alert", role: "alert" }, h("p", { dir: "auto" }, message), again),
  );
  empty(!at("turns").childElementCount);
}

/** Ask for the access token; then the reader goes on typing. */
async function token(refused) {
  const typed = await tokenFrom(notices, refused);
  box.focus();
  return typed;
}

function said(text) {
  at("said").textContent = text;
}

function busy(yes) {
  at("turns").setAttribute("aria-busy", String(yes));
  go.textContent = words(yes ? "stop" : "ask");
}

function write(text) {
  box.value = text;
  fit();
  keepDraft();
}

/** The box is as high as what is typed. */
function fit() {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;
}

function listen() {
  box.addEventListener("input", fit);
  box.addEventListener("input", keepDraft);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  at("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    if (thread.asking) halt();
    else submit();
  });
  at("anew").addEventListener("click", anew);
  at("show").addEventListener("click", showArticle);
  for (const link of document.querySelectorAll(".skip")) link.addEventListener("click", skip);
  addEventListener("keydown", keys);
  addEventListener("popstate", walk);
  if (embedded && !touch.matches) addEventListener("focus", settle);
}

/** What was typed before this script ran stays; Enter could only break its line then. */
function takeOver() {
  fit();
  if (!box.value.trim() || !box.value.endsWith("\n")) return;
  write(box.value.trim());
  eager = true;
}

/** What was typed and not asked stays through a reload, in this tab alone. */
function restoreDraft() {
  const draft = api.stored(() => sessionStorage.getItem(DRAFT));
  if (draft && !box.value && !eager) write(draft);
}

function keepDraft() {
  api.stored(() => sessionStorage.setItem(DRAFT, box.value));
}

/** Opened or come back to inside another site: the question box is where to begin. */
function settle() {
  if (document.activeElement === document.body) box.focus();
}

function anew() {
  journeys++;
  thread.clear();
  trail.restart();
  notices.replaceChildren();
  empty(true);
  if (!sheet.over) showWhole();
  said(words("page.new"));
  box.focus();
}

function showArticle() {
  sheet.open(at("show"));
  if (!at("text").childElementCount) showWhole();
}

/** The fragment belongs to the shared thread, so skipping must not write there. */
function skip(event) {
  event.preventDefault();
  const target = at(event.target.hash.slice(1));
  if (sheet.over && target === at("text")) showArticle();
  else target.focus();
}

function keys(event) {
  const typing = event.target.closest?.("input, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.focus();
  } else if (event.key === "Escape") {
    if (thread.asking) halt();
    else if (embedded) leave();
  }
}

/** Tell the site around the widget, and nobody else, that the reader wants out. */
function leave() {
  const parent =
    location.ancestorOrigins?.[0] ?? (document.referrer && new URL(document.referrer).origin);
  if (parent && parent !== "null" && window.parent !== window)
    window.parent.postMessage({ ragkit: "close" }, parent);
}
