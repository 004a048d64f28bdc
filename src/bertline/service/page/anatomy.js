// Anatomy: one sentence on its way through the model, step by step, with the model's own numbers.

import { post } from "./api.js";
import { asks, button, field, make, nest, select } from "./elements.js";
import { glance, inFull } from "./anatomy-heads.js";
import { alone, step } from "./anatomy-steps.js";
import { forget } from "./anatomy-strips.js";
import { keepFocus } from "./focus.js";
import { ranks } from "./model.js";
import { refused } from "./refusal.js";
import { count } from "./words.js";

const SENTENCE = "I liked the movie, but hated the score.";
const PROMPT = "Type a sentence to see what the model computes of it, from its characters to the answer.";
const WAITING = "The sentence is on its way through the model. Requests of others go first.";
const WINDOWS = [2, 3, 4, 5].map((size) => [String(size), String(size)]);

let parts = null; // elements of the view
let context = null;
let subject = null; // that was shown last
let found = null; // the server's answer
let asked = null; // what is shown or on its way: { texts, parts }, the latter of these texts, once they came
let place = {}; // the layer, head and token of it; what is missing is the server's choice
let running = null;

export function show(section, next) {
  const other = context?.model !== next.model;
  context = next;
  if (!parts) section.append(...built());
  if (other) prepare();
  if (next.subject && next.subject !== subject) {
    subject = next.subject;
    parts.text.value = subject.text;
    parts.second.value = subject.text_pair ?? "";
    begin();
  } else if (parts.way.hasAttribute("aria-busy")) run(); // another view was shown before the answer came
}

export const hide = () => running?.abort();

// ---------------------------------------------------------------------------------------------------- the request

function built() {
  parts = { text: area(), second: area(), window: select(WINDOWS, () => asked && begin()), way: make("section", "way") };
  parts.way.setAttribute("aria-label", "The way through the model");
  parts.window.value = "3";
  parts.textLine = field("first", "Sentence", "anatomy-text", parts.text);
  parts.secondLine = field("second", "Second text", "anatomy-second", parts.second);
  const form = nest(
    "form",
    "card ask",
    parts.textLine,
    parts.secondLine,
    nest("div", "send", make("button", "primary", "Look inside"), field("choice", "Words in a window", "anatomy-window", parts.window)),
  );
  asks(form, begin);
  parts.spoken = make("p", "visually-hidden");
  parts.spoken.setAttribute("role", "status");
  return [form, parts.way, parts.spoken];
}

function area() {
  return Object.assign(make("textarea", ""), { dir: "auto", autocomplete: "off" });
}

// For another model.
function prepare() {
  running?.abort();
  [subject, found, asked, place] = [null, null, null, {}];
  const { model } = context;
  const query = ranks(model);
  const fills = model.task.task === "fill";
  parts.textLine.firstElementChild.textContent = query ? "Query" : "Sentence";
  parts.secondLine.hidden = !query && model.task.reads !== "pair";
  parts.secondLine.firstElementChild.textContent = query ? "Text" : "Second text";
  const example = button("quiet", "Take an example", () => {
    parts.text.value = fills ? SENTENCE.replace("hated", "[MASK]") : SENTENCE;
    parts.second.value = "The music was bad.";
    begin();
  });
  fill("empty", make("p", "prompt", PROMPT), example);
}

function begin() {
  running?.abort();
  const texts = [parts.text.value, ...(parts.secondLine.hidden ? [] : [parts.second.value])];
  [asked, place] = [{ texts, parts: null }, {}];
  if (texts.some((one) => !one.trim())) {
    return fill("empty", make("p", "prompt", texts.length > 1 ? "Both texts are needed: type them." : "There is no sentence yet: type one."));
  }
  run();
}

// What was asked for, with its parts unless they are there.
async function run() {
  running?.abort();
  const { model, named } = context;
  const one = asked;
  const { texts } = one;
  const mine = (running = new AbortController());
  if (["done", "waiting"].includes(parts.way.dataset.state)) parts.way.dataset.state = "waiting"; // what is there stays, and fades
  else fill("reading", make("p", "reading", WAITING));
  parts.way.setAttribute("aria-busy", "true");
  try {
    const request = { text: texts[0], ...(texts.length > 1 && { text_pair: texts[1] }), ...(named && { model: model.name }) };
    const next = await post("/v1/anatomy", { ...request, ...place, window: Number(parts.window.value), parts: !one.parts }, mine.signal);
    if (running !== mine) return;
    one.parts ??= { single: next.parts };
    found = next;
    draw();
  } catch (refusal) {
    if (running !== mine || refusal.name === "AbortError") return;
    fill("error", refused(refusal, run));
  }
}

// Another layer, head or token of the same sentence.
function move({ token, ...next }) {
  place = { ...place, ...next };
  if (asked.parts) place = { layer: found.layer, head: found.head, token: found.token, ...place, ...(token !== undefined && { token }) };
  run(); // while other texts are on their way, the tokens that are shown are not theirs
}

// ---------------------------------------------------------------------------------------------------- the answer

function draw() {
  forget(); // the canvases of what was shown before
  const { layers, heads, layer, head, token, tokens, cut_tokens: cut } = found;
  const said = `Layer ${layer + 1} of ${layers}, head ${head + 1} of ${heads}, token “${tokens[token].text}”`;
  const overview = nest(
    "section",
    "card heads",
    make("h2", "title", "All heads at a glance"),
    make("p", "says", `Each square is a head: a row for each token that mixes, a column for each that is mixed in. The stronger the colour, the larger the weight. ${layers} layers from top to bottom, ${heads} heads in each. A weight says what was mixed, not why the model answers as it does.`),
    glance(found, move),
  );
  const full = nest(
    "section",
    "card full",
    make("h2", "title", `Layer ${layer + 1}, head ${head + 1} in full`),
    make("p", "says", "Point at a token, or move to it with the arrow keys, to see its attention. Press it to follow it through the steps."),
    ...inFull(found, move),
  );
  const steps = nest("ol", "steps", ...found.steps.map((one, number) => step(one, number + 1, found)));
  const walk = nest("section", "card walk", make("h2", "title", "Step by step"), make("p", "where", said), steps);
  const notes = cut ? [make("p", "cut", `The sentence is longer than the model can read: ${count(cut, "token")} cut.`)] : [];
  const { single: own } = asked.parts;
  const single = own ? [alone(own, context.model.task.problem === "number")] : [];
  fill("done", ...notes, overview, full, walk, ...single);
  parts.spoken.textContent = `${said}. ${found.steps.find(({ name }) => name === "weights").says}`;
}

function fill(state, ...elements) {
  parts.way.dataset.state = state;
  parts.way.removeAttribute("aria-busy");
  parts.spoken.textContent = "";
  const same = document.activeElement.dataset.place; // it is a new element
  const heir = () => (same && parts.way.querySelector(`[data-place="${same}"]`)) || parts.way.querySelector("h2") || parts.way;
  keepFocus(() => parts.way.replaceChildren(...elements), heir);
}
