// Label: texts that are worth a label, one after the other, by keyboard.

import { correctOf } from "./correct.js";
import { button, field, make, nest } from "./elements.js";
import { focusOn, keepFocus } from "./focus.js";
import { drawProgress } from "./labels.js";
import { Lent } from "./lent.js";
import { ranks } from "./model.js";
import { refused } from "./refusal.js";
import { count } from "./words.js";

const NAME_KEY = "bertline-annotator";
const KEYS_OFF = "bertline-keys-off";
const LOOK_EVERY = 10; // labels between two looks at how it goes
const START = "bertline serve BUNDLE --predictions-url sqlite:///predictions.db --predictions-text";
const WHY = {
  "label error": "This label looks wrong",
  disagreement: "Two versions answer differently",
  foreign: "Unlike the texts that the model was measured on",
  unsure: "The model was not sure",
  "second opinion": "A second opinion",
};
const HELP = [
  ["1 to 9", "give this label (letters from the tenth on)"],
  ["Enter", "where a text can have several labels: these are right"],
  ["u", "undo"],
  ["s", "skip; others may get the text"],
  ["m", "show what the model says"],
  ["?", "this help"],
];

let section = null;
let context = null;
let lent = null;
let parts = null;
let correct = null;

export function show(into, next) {
  section = into;
  context = next;
  document.addEventListener("keydown", pressed);
  start();
}

export function hide() {
  document.removeEventListener("keydown", pressed);
  lent?.close();
}

async function start() {
  lent?.close();
  lent = null;
  const mine = (parts = { model: context.model });
  fill(make("p", "reading", "Looking for texts to label…"));
  const first = new Lent({ ...context, annotator: "", changed() {}, failed() {} });
  try {
    const progress = await first.progress();
    if (parts !== mine) return;
    begin(progress, localStorage.getItem(NAME_KEY) ?? progress.client ?? "");
  } catch (refusal) {
    if (parts !== mine) return;
    fill(nest("div", "card", ...(refusal.code === "not_found" ? absent(refusal.message) : [refused(refusal, start)])));
  }
}

// Look again and Try again go with what they are in.
const fill = (...elements) => keepFocus(() => section.replaceChildren(...elements), () => section);

// ---------------------------------------------------------------------------------------------------- without texts

function absent(message) {
  return [make("h2", "title", "Nothing to label"), make("p", "", message), make("p", "note", "For texts to label, it has to keep them too:"), nest("pre", "", make("code", "", START))];
}

function nothing() {
  const { progress } = parts;
  if (!progress.keeps_texts && !Object.keys(progress.waiting).length) return absent("The server keeps predictions without their texts.");
  return [make("h2", "title", "Nothing to label now"), make("p", "", "Texts come here as people use the model. Those that others are labelling come back if they get no label."), nest("p", "", button("quiet", "Look again", start))];
}

// ---------------------------------------------------------------------------------------------------- labelling

function begin(progress, annotator) {
  const side = make("aside", "card progress");
  side.setAttribute("aria-label", "Progress");
  const card = make("div", "card work");
  Object.assign(parts, { progress, side, card, before: 0 });
  drawProgress(side, progress, context.named);
  fill(nest("div", "bench", card, side));
  if (annotator) work(annotator);
  else askName();
}

function askName() {
  const input = Object.assign(make("input", ""), { type: "text", maxLength: 128, autocomplete: "name", required: true });
  const form = nest("form", "name", make("h2", "title", "Who labels?"), field("query", "Your name", "label-name", input), make("p", "note", "It is kept with each label, so that the agreement of several people can be measured."), nest("div", "send", make("button", "primary", "Start")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = input.value.trim();
    if (!name) return;
    localStorage.setItem(NAME_KEY, name);
    work(name);
  });
  parts.card.replaceChildren(form);
  input.focus();
}

function work(annotator) {
  lent = new Lent({ ...context, annotator, changed: draw, failed: (refusal) => parts.trouble.replaceChildren(refused(whole(refusal), retry)) });
  correct = correctOf(context.model, give);
  const other = button("quiet", "Not you?", () => {
    localStorage.removeItem(NAME_KEY);
    lent.close();
    askName();
  });
  parts.why = make("p", "why-text");
  parts.text = make("div", "text");
  parts.text.setAttribute("aria-live", "polite"); // the next text is read aloud
  parts.model = make("p", "says");
  parts.said = make("p", "said");
  parts.said.setAttribute("role", "status");
  parts.trouble = make("div", "trouble");
  parts.help = help();
  parts.keys = tool("?", "Keys", toggleHelp);
  parts.work = nest("div", "working", parts.why, parts.text, parts.model, ...correct.elements, nest("div", "more", tool("u", "Undo", undo), tool("s", "Skip", skip), tool("m", "Model\u2019s answer", reveal), parts.keys));
  parts.none = make("div", "none");
  parts.card.replaceChildren(nest("p", "who", nest("span", "", "Labelling as ", make("strong", "", annotator)), " ", other), parts.work, parts.none, parts.said, parts.trouble, parts.help);
  parts.work.hidden = true;
  lent.go();
  if (!section.contains(document.activeElement)) section.focus({ preventScroll: true });
}

function tool(key, words, pressed) {
  const one = button("quiet", "", pressed);
  one.append(make("kbd", "", key), ` ${words}`);
  one.setAttribute("aria-keyshortcuts", key);
  return one;
}

function help() {
  const on = Object.assign(make("input", ""), { type: "checkbox", id: "label-keys", checked: !localStorage.getItem(KEYS_OFF) });
  on.addEventListener("change", () => (on.checked ? localStorage.removeItem(KEYS_OFF) : localStorage.setItem(KEYS_OFF, "1")));
  const label = Object.assign(make("label", "", "Single keys label"), { htmlFor: on.id });
  const box = nest("div", "help", make("h2", "title", "Keys"), nest("dl", "", ...HELP.map(([key, words]) => nest("div", "", nest("dt", "", make("kbd", "", key)), make("dd", "", words)))), nest("p", "", on, " ", label));
  box.hidden = true;
  return box;
}

// ---------------------------------------------------------------------------------------------------- what is done

function give(answer) {
  if (!lent?.current) return;
  correct.clear();
  lent.label(answer);
  tell(`Labelled ${spoken(answer)}. ${count(lent.labelled, "label")} so far.`);
  if (lent.labelled > 1 && lent.labelled - parts.before < LOOK_EVERY) return;
  parts.before = lent.labelled;
  lent.send({ call: look }); // behind this label, which is in it then
}

function skip() {
  if (!lent?.current) return;
  lent.skip();
  tell("Skipped.");
}

function undo() {
  const last = lent?.undo();
  tell(!last ? "There is nothing to undo." : last.correct === undefined ? "Back to the text that was skipped." : `Took back ${spoken(last.correct)}.`);
}

const tell = (words) => { parts.said.textContent = words; };
const spoken = (answer) => (answer === true ? "relevant" : answer === false ? "not relevant" : Array.isArray(answer) ? answer.join(", ") || "no label" : String(answer));
const toggleHelp = () => keepFocus(() => { parts.help.hidden = !parts.help.hidden; }, () => (parts.work.hidden ? place() : parts.keys));

// Where to read on when what had the focus is gone: the text, or that there is none.
const place = () => (!parts.work.hidden ? parts.text : parts.none.hidden ? section : parts.none.querySelector("h2") ?? section);

function reveal() {
  const { current } = lent;
  if (!current) return;
  parts.model.textContent = `The model says ${spoken(current.answer)}${current.shadow === null ? "" : `, its shadow ${spoken(current.shadow)}`}.`;
}

function retry() {
  keepFocus(() => parts.trouble.replaceChildren(), place);
  lent.retry();
}

// Whatever failed is sent again.
const whole = ({ title = "A label was not accepted", message }) => ({ title, message, again: true });

async function look() {
  const mine = parts;
  try {
    const progress = await lent.progress();
    if (parts !== mine) return;
    parts.progress = progress;
    keepFocus(() => drawProgress(parts.side, progress, context.named), () => parts.side.querySelector("a") ?? parts.side.querySelector("h2"));
    if (!lent.current) draw();
  } catch {
    // the next look may succeed, and the labels themselves say when they fail
  }
}

function draw() {
  const { current, empty, waiting } = lent;
  const over = !current && empty && !waiting.length;
  if (over && parts.none.hidden !== false) look();
  if (!current && parts.work.contains(document.activeElement)) parts.pressed = document.activeElement;
  keepFocus(() => {
    parts.work.hidden = !current;
    parts.none.hidden = !over;
    if (over) parts.none.replaceChildren(...nothing());
  }, place);
  if (parts.pressed && (current || over)) {
    if (document.activeElement === section) focusOn(current ? parts.pressed : place()); // texts were on their way
    parts.pressed = null;
  }
  if (!current || parts.shown === current) return;
  parts.shown = current;
  parts.model.textContent = "";
  parts.why.textContent = WHY[current.why] + (current.feedback === null || current.feedback === undefined ? "" : `: ${spoken(current.feedback)}`);
  parts.why.dataset.why = current.why;
  parts.text.replaceChildren(...current.texts.map((text, side) => nest("p", "", ...(current.texts.length > 1 ? [make("span", "side-name", nameOf(side))] : []), text)));
}

const nameOf = (side) => (ranks(context.model) ? ["Query", "Text"] : ["First text", "Second text"])[side];

function pressed(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !lent) return;
  if (target.closest("textarea, select, input:not([type=checkbox])")) return;
  if (localStorage.getItem(KEYS_OFF) || (key === "Enter" && target.closest("a, button, summary"))) return;
  const tools = { u: undo, s: skip, m: reveal, "?": toggleHelp };
  const done = tools[key.toLowerCase()] ? (tools[key.toLowerCase()](), true) : lent.current && correct.press(key);
  if (done) event.preventDefault();
}
