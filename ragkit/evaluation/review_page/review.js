// The review of proposed questions: shows one at a time, and sends each decision at once.

const $ = (id) => document.getElementById(id);
let items = [];
let at = 0;
let busy = false;
let shown = ""; // the field of the answers as it was filled

function show() {
  const item = items[at];
  $("item").hidden = !item;
  $("done").hidden = items.some((one) => one.status === "pending");
  $("error").textContent = "";
  if (!item) return;
  $("kind").textContent = item.answerable ? `answerable: ${item.category}` : `unanswerable: ${item.category}`;
  $("kind").dataset.answerable = item.answerable;
  $("by").textContent = item.by ? `by ${item.by}` : "";
  $("question").value = item.question;
  $("answers").value = item.answers.join(" | ");
  shown = $("answers").value;
  $("answer-row").hidden = !item.answerable;
  $("note").textContent = item.answerable
    ? ""
    : `Accept it only if nothing in the documents answers it.${item.derived_from ? ` Derived from: “${item.derived_from}”` : ""}`;
  $("title").textContent = item.title;
  $("passage").replaceChildren(...item.pieces.map(([text, marked]) => piece(text, marked, item.answers)));
  $("passage").querySelector("mark")?.scrollIntoView({ block: "nearest" });
  $("accept").setAttribute("aria-pressed", item.status === "accepted");
  $("reject").setAttribute("aria-pressed", item.status === "rejected");
  $("back").disabled = at === 0;
  $("next").disabled = at === items.length - 1;
}

function piece(text, marked, answers) {
  if (!marked) return document.createTextNode(text);
  const mark = document.createElement("mark");
  const answer = answers.find((one) => text.includes(one));
  if (!answer) {
    mark.textContent = text;
    return mark;
  }
  const start = text.indexOf(answer);
  const bold = document.createElement("b");
  bold.textContent = answer;
  mark.append(text.slice(0, start), bold, text.slice(start + answer.length));
  return mark;
}

function count(counts) {
  const reviewed = counts.accepted + counts.rejected;
  $("progress").textContent = `${reviewed} of ${items.length}: ${counts.accepted} accepted, ${counts.rejected} rejected`;
  $("bar").max = items.length;
  $("bar").value = reviewed;
}

async function decide(status) {
  const item = items[at];
  if (busy || !item) return;
  busy = true;
  const question = $("question").value.trim();
  const answers = edited(item);
  try {
    const response = await fetch("decisions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id: item.id, status, question, answers }),
    });
    const content = await response.json();
    if (!response.ok) throw new Error(content.error);
    Object.assign(item, { status, question, answers });
    count(content.counts);
    document.activeElement.blur();
    at = following();
    show();
  } catch (error) {
    $("error").textContent = `Not saved: ${error.message}`;
  } finally {
    busy = false;
  }
}

/** The answers, as they are unless their field was changed: one of them may have a "|" in it. */
function edited(item) {
  const { value } = $("answers");
  if (value === shown) return item.answers;
  return value.split("|").map((one) => one.trim()).filter(Boolean);
}

/** The next question that waits for a decision; the same one if none does. */
function following() {
  const order = [...items.keys()].slice(at + 1).concat([...items.keys()].slice(0, at));
  return order.find((n) => items[n].status === "pending") ?? at;
}

function move(step) {
  at = Math.min(Math.max(at + step, 0), items.length - 1);
  show();
}

const KEYS = {
  a: () => decide("accepted"),
  r: () => decide("rejected"),
  e: () => $("question").focus(),
  ArrowLeft: () => move(-1),
  ArrowRight: () => move(1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("textarea, input")) {
    if (event.key === "Escape") event.target.blur();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    decide("accepted");
    return;
  }
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
for (const [id, act] of Object.entries({ accept: KEYS.a, reject: KEYS.r, edit: KEYS.e, back: KEYS.ArrowLeft, next: KEYS.ArrowRight })) {
  $(id).addEventListener("click", act);
}

const loaded = await (await fetch("items")).json();
items = loaded.items;
at = Math.max(items.findIndex((one) => one.status === "pending"), 0);
count(loaded.counts);
show();
