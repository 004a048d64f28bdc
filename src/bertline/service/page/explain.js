// Explain: which words an answer rests on.

import { explain } from "./api.js";
import { drawCounter } from "./counter.js";
import { asks, button, field, make, nest, options, select } from "./elements.js";
import { keepFocus } from "./focus.js";
import { namesOf, ranks } from "./model.js";
import { drawNearest } from "./nearest.js";
import { drawPhrases } from "./phrases.js";
import { refused } from "./refusal.js";
import { drawShares } from "./shares.js";
import { go, hand } from "./views.js";

const METHODS = [
  ["linear", "many mixes of words (a linear model)"],
  ["shapley", "every mix of words (Shapley values)"],
  ["partition", "phrase by phrase (Owen values)"],
  ["leave-one-out", "without one word at a time"],
];
const REMOVALS = [
  ["delete", "deleted"],
  ["mask", "replaced by [MASK]"],
];
const BUDGETS = [["50", "50, a rough look"], ["200", "200"], ["500", "500"], ["2000", "2,000, slow"]];
const USUAL_BUDGET = "200"; // the server's default
const PROMPT = "Type a text, or press Why? at an answer in Try.";
const TURNED = new Set(["single", "several"]); // problems whose answers can turn
const NEAREST_ROWS = 5;
const WAITING = "The model is being asked about the text without some of its words. Requests of others go first.";

let parts = null; // elements of the view
let context = null;
let subject = null; // that was explained last
let running = null;
let turnAgain = null; // looks again for the change that is shown or sought
let span = null; // of an entity that is explained, as long as the text is the same

export function show(section, next) {
  const other = context?.model !== next.model;
  context = next;
  if (!parts) section.append(...built());
  if (other) prepare();
  if (next.subject && next.subject !== subject) {
    subject = next.subject;
    parts.text.value = subject.text;
    parts.second.value = subject.text_pair ?? "";
    parts.label.value = subject.label ?? "";
    span = subject.span ?? null;
    run();
  } else if (parts.answer.hasAttribute("aria-busy")) run(); // another view was shown before the answer came
}

export const hide = () => running?.abort();

// ---------------------------------------------------------------------------------------------------- the request

function built() {
  parts = {
    text: area(),
    second: area(),
    label: select([]),
    method: select(METHODS, again),
    removal: select(REMOVALS, again),
    budget: select(BUDGETS, again),
    words: select([], () => turnAgain?.()),
    answer: make("section", "card answer"),
  };
  parts.budget.value = USUAL_BUDGET;
  parts.label.addEventListener("change", again);
  parts.secondLine = field("second", "Second text", "explain-second", parts.second);
  parts.textLine = field("first", "Text", "explain-text", parts.text);
  parts.labelLine = field("choice", "Explain", "explain-label", parts.label);
  parts.wordsLine = field("choice", "To turn it, words are", "explain-words", parts.words);
  const submit = make("button", "primary", "Explain");
  const form = nest(
    "form",
    "card ask",
    parts.textLine,
    parts.secondLine,
    parts.labelLine,
    nest(
      "details",
      "how",
      make("summary", "", "How it is found"),
      field("choice", "Ask", "explain-method", parts.method),
      field("choice", "A missing word is", "explain-removal", parts.removal),
      field("choice", "Answers of the model, at most", "explain-budget", parts.budget),
      parts.wordsLine,
    ),
    nest("div", "send", submit),
  );
  parts.text.addEventListener("input", () => { span = null; });
  asks(form, run);
  parts.answer.setAttribute("aria-labelledby", "explain-title");
  parts.spoken = make("p", "visually-hidden");
  parts.spoken.setAttribute("role", "status");
  return [nest("div", "bench", form, parts.answer), parts.spoken];
}

function area() {
  const one = make("textarea", "");
  Object.assign(one, { dir: "auto", autocomplete: "off" });
  return one;
}

// For another model.
function prepare() {
  running?.abort();
  subject = span = null;
  const { task } = context.model;
  const labels = namesOf(context.model);
  const query = ranks(context.model);
  parts.textLine.firstElementChild.textContent = query ? "Query" : "Text";
  parts.secondLine.hidden = !query && task.reads !== "pair";
  parts.secondLine.firstElementChild.textContent = query ? "Text" : "Second text";
  parts.label.replaceChildren(...options([["", "the model's answer"], ...labels.map((label) => [label, label])]));
  parts.labelLine.hidden = labels.length < 2;
  const fillers = context.fillers.map((name) => [name, `replaced by those of ${name}`]);
  parts.words.replaceChildren(...options([...fillers, ["", "left out"]]));
  parts.wordsLine.hidden = !fillers.length || !TURNED.has(task.problem);
  fill("empty", make("p", "prompt", PROMPT));
}

// After another choice, what is explained already, or about to be, is explained anew.
function again() {
  if (!["empty", "error"].includes(parts.answer.dataset.state)) run();
}

function request() {
  const { model, named } = context;
  return {
    text: parts.text.value,
    ...(!parts.secondLine.hidden && { text_pair: parts.second.value }),
    ...(named && { model: model.name }),
    ...(!parts.labelLine.hidden && parts.label.value && { label: parts.label.value }),
    ...(span && { span }),
    method: parts.method.value,
    removal: parts.removal.value,
    budget: Number(parts.budget.value),
  };
}

async function run() {
  running?.abort();
  const asked = request();
  if (!asked.text.trim() || asked.text_pair?.trim() === "") {
    return fill("empty", make("p", "prompt", asked.text_pair === undefined ? "There is no text yet: type one." : "Both texts are needed: type them."));
  }
  const mine = (running = new AbortController());
  if (["done", "waiting"].includes(parts.answer.dataset.state)) parts.answer.dataset.state = "waiting"; // what is there stays, and fades
  else fill("reading", make("p", "reading", WAITING));
  parts.answer.setAttribute("aria-busy", "true");
  try {
    const found = await explain(asked, mine.signal);
    if (running !== mine) return;
    const { elements, spoken } = drawShares(found, [asked.text, asked.text_pair ?? ""], asked.span);
    const inside = button("quiet", "See inside the model", () => {
      hand((subject = { ...subject, text: asked.text, text_pair: asked.text_pair }));
      go("anatomy");
    });
    const further = extras().map((extra) => offer(extra, asked));
    fill("done", ...elements, nest("div", "further", ...further.map(({ press }) => press), inside), ...further.map(({ box }) => box));
    parts.answer.querySelector(".readout").scrollIntoView({ block: "nearest", behavior: "instant" }); // below, if narrow
    parts.spoken.textContent = spoken;
  } catch (refusal) {
    if (running !== mine || refusal.name === "AbortError") return;
    fill("error", refused(refusal, run));
  }
}

// ---------------------------------------------------------------------------------------------------- further questions

// What can be asked about the answer below its shares. The shares that come with it are the cheapest ones: they are not shown.
const TURNING = {
  question: "What would turn it?",
  title: "What would turn it",
  looking: "Words are being changed until the answer turns. Requests of others go first.",
  request: () => ({ counter: true, ...(parts.words.value && { replacements: parts.words.value }) }),
  draw: ({ counter }) => drawCounter(counter, parts.words.value),
};
const TOGETHER = {
  question: "Which words act together?",
  title: "Words that act together",
  looking: "Words are being left out in twos and threes. Requests of others go first.",
  request: () => ({ phrases: true }),
  draw: drawPhrases,
};

const NEAREST = {
  question: "Which texts are like it?",
  title: "Nearest labelled texts",
  looking: "The text is compared with labelled rows that the model carries. The first time, these are embedded, which takes longer. Requests of others go first.",
  request: () => ({ nearest: NEAREST_ROWS }),
  draw: drawNearest,
  none: ({ code, field }) => code === "unsupported" && field === "nearest", // a model without rows
};

const extras = () => [...(TURNED.has(context.model.task.problem) ? [TURNING] : []), TOGETHER, ...(context.limits.nearest_texts ? [NEAREST] : [])];

// The button that asks, and the box that the answer comes to.
function offer(extra, asked) {
  const one = { extra, asked, box: make("section", "extra"), mine: null };
  one.box.hidden = true;
  one.press = button("quiet", extra.question, () => look(one));
  return one;
}

async function look(one) {
  const { extra, asked, box, press } = one;
  if (parts.answer.dataset.state !== "done") return; // a new explanation is on its way
  running?.abort();
  const mine = (running = one.mine = new AbortController());
  const again = () => look(one);
  if (extra === TURNING) turnAgain = again;
  const title = make("h3", "title", extra.title);
  title.id = `explain-${extra.title.toLowerCase().replaceAll(" ", "-")}`;
  box.setAttribute("aria-labelledby", title.id);
  keepFocus(() => {
    box.replaceChildren(title, make("p", "reading", extra.looking));
    box.hidden = false;
    press.disabled = true;
  }, () => title);
  const show = (...elements) => keepFocus(() => box.replaceChildren(title, ...elements), () => title);
  try {
    const found = await explain({ ...asked, method: "leave-one-out", ...extra.request() }, mine.signal);
    if (one.mine !== mine) return;
    const { elements, spoken } = extra.draw(found);
    show(...elements);
    parts.spoken.textContent = spoken;
    press.hidden = true;
  } catch (refusal) {
    if (one.mine !== mine) return;
    if (extra.none?.(refusal)) {
      press.hidden = true;
      parts.spoken.textContent = refusal.message;
      return show(make("p", "", refusal.message));
    }
    press.disabled = press.hidden = false;
    if (refusal.name !== "AbortError") return show(refused(refusal, again));
    if (turnAgain && extra === TURNING) turnAgain = null; // the view was left, or another question came first
    box.hidden = true;
  }
}

function fill(state, ...elements) {
  turnAgain = null;
  parts.answer.dataset.state = state;
  parts.answer.removeAttribute("aria-busy");
  parts.spoken.textContent = "";
  const title = make("h2", "title", "Why");
  title.id = "explain-title";
  keepFocus(() => parts.answer.replaceChildren(title, ...elements), () => title);
}

