// Compare: two of the loaded versions, on a text or on a table.

import { address, get, models, post } from "./api.js";
import { drawGate, verdictsOn } from "./compare-gate.js";
import { drawText } from "./compare-text.js";
import { Table } from "./compare-file.js";
import { asks, button, field, make, nest, select } from "./elements.js";
import { dropsTo } from "./file.js";
import { keepFocus } from "./focus.js";
import { ranks } from "./model.js";
import { refused } from "./refusal.js";

const AGAIN_MS = 1000;
const MODES = [["text", "One text"], ["file", "CSV file"]];
const ROLES = { current: "answers now", challenger: "challenger", previous: "the one before" };
const PROMPT = "Type a text, or pick another version for A or B.";
const ALONE = "Only one version is loaded, so there is nothing to compare it with. Serve two, load a newer one, or begin a rollout:";
const COMMANDS = ["bertline serve old=BUNDLE new=BUNDLE", "bertline serve small=BUNDLE exact=BUNDLE --engine exact=fp32", "bertline models promote models:/NAME/2 --canary"];

let section = null;
let context = null;
let parts = null; // elements of the view
let loaded = null; // versions of the server
let looking = null;
let running = null;
let judging = null;
let subject = null; // text that was taken over from another view last

export function show(into, next) {
  const other = context?.model !== next.model;
  [section, context] = [into, next];
  dropsTo((file) => {
    if (!parts) return;
    setMode("file");
    parts.table.open(file);
  });
  if (other) look();
  else if (!takeOver() && parts?.mode === "text" && parts.answer.hasAttribute("aria-busy")) run(); // another view was shown before the answers came
}

export function hide() {
  dropsTo(null);
  running?.abort();
}

// ---------------------------------------------------------------------------------------------------- the versions

async function look() {
  running?.abort();
  const mine = (looking = {});
  parts = loaded = null;
  fillView(make("p", "reading", "Looking for versions…"));
  try {
    const [{ versions, most_rows }, served] = await Promise.all([get("/v1/compare"), models()]);
    if (mine !== looking) return;
    const described = new Map(served.models.map((one) => [one.name, one]));
    loaded = versions.map((one) => ({ ...one, described: described.get(one.model) }));
    if (loaded.length > 1) build(most_rows);
    else if (await warming()) wait(mine);
    else if (mine === looking) fillView(alone());
  } catch (refusal) {
    if (mine !== looking) return;
    fillView(nest("div", "card", refused(refusal, look)));
  }
}

// Look again and Try again go with what they are in.
const fillView = (...elements) => keepFocus(() => section.replaceChildren(...elements), () => section);

// A server that has just been started loads one model after the other.
const warming = async () => (await fetch(address("/health/ready"))).status === 503;

function wait(mine) {
  if (mine !== looking) return;
  fillView(make("p", "reading", "The server is still loading its models…"));
  setTimeout(() => mine === looking && look(), AGAIN_MS);
}

function alone() {
  const title = make("h2", "title", "Nothing to compare yet");
  return nest("div", "card none", title, make("p", "", ALONE), ...COMMANDS.map((one) => nest("p", "", make("code", "", one))), button("quiet", "Look again", look));
}

const nameOf = ({ model, version, role, engine }) => `${model} · ${version} · ${ROLES[role]}${engine ? ` · ${engine}` : ""}`;

// The model of the page against another of its versions, else against another model of the same task.
function preferred() {
  const first = loaded.findIndex(({ model, role }) => model === context.model.name && role === "current");
  const fits = (one) => one.described?.task.task === loaded[first]?.described?.task.task;
  const own = loaded.findIndex((one, place) => place !== first && one.model === context.model.name);
  const alike = loaded.findIndex((one, place) => place !== first && fits(one));
  const second = own >= 0 ? own : alike >= 0 ? alike : loaded.findIndex((_, place) => place !== first);
  return [Math.max(0, first), second];
}

// ---------------------------------------------------------------------------------------------------- the request

function build(mostRows) {
  const choices = loaded.map((one, place) => [String(place), nameOf(one)]);
  parts = {
    sides: [select(choices, chosen), select(choices, chosen)],
    text: area(), second: area(),
    results: make("section", "results"),
    gate: Object.assign(make("section", "card gate"), { hidden: true }),
    answer: make("section", "card answer"),
    spoken: Object.assign(make("p", "visually-hidden")),
    mode: "text",
  };
  parts.spoken.setAttribute("role", "status");
  parts.answer.setAttribute("aria-labelledby", "compare-title");
  parts.results.setAttribute("aria-label", "Comparison");
  parts.gate.setAttribute("aria-labelledby", "compare-gate");
  preferred().forEach((place, side) => { parts.sides[side].value = String(place); });
  parts.firstLine = field("first", "Text", "compare-text", parts.text);
  parts.secondLine = field("second", "Second text", "compare-second", parts.second);
  parts.typed = nest("div", "", parts.firstLine, parts.secondLine, nest("div", "send", make("button", "primary", "Compare")));
  parts.table = new Table({ limits: { ...context.limits, most_rows: mostRows }, sides: chosenSides, results: parts.results, say });
  const form = nest("form", "card ask", ...versionsFields(), modes(), parts.typed, parts.table.element);
  asks(form, run);
  parts.bench = nest("div", "bench", form, parts.answer);
  fillView(parts.bench, parts.gate, parts.results, parts.spoken);
  fill("empty", make("p", "prompt", PROMPT));
  setMode("text");
  chosen();
  takeOver();
}

const say = (words) => { parts.spoken.textContent = words; };

function area() {
  const one = make("textarea", "");
  return Object.assign(one, { dir: "auto", autocomplete: "off" });
}

function versionsFields() {
  const swap = button("quiet swap", "Swap A and B", () => {
    const [first, second] = parts.sides;
    [first.value, second.value] = [second.value, first.value];
    chosen();
  });
  return [field("choice side-a", "A", "compare-first-side", parts.sides[0]), field("choice side-b", "B", "compare-second-side", parts.sides[1]), swap];
}

function modes() {
  const radios = MODES.map(([value, words]) => {
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "compare-mode", value, autocomplete: "off" });
    radio.addEventListener("change", () => setMode(value));
    return nest("label", "", radio, make("span", "", words));
  });
  return nest("fieldset", "modes", make("legend", "visually-hidden", "Input"), ...radios);
}

function setMode(mode) {
  parts.mode = mode;
  section.querySelector(`input[name=compare-mode][value=${mode}]`).checked = true;
  parts.typed.hidden = parts.answer.hidden = mode !== "text";
  parts.table.element.hidden = parts.results.hidden = mode !== "file";
  parts.bench.classList.toggle("alone", mode === "file");
}

const sideOf = ({ model, version }) => ({ model, version });
const chosenSides = () => parts.sides.map((one) => loaded[Number(one.value)]);

// Another version was chosen.
function chosen() {
  const [first] = chosenSides();
  const query = first.described ? ranks(first.described) : false;
  parts.firstLine.firstElementChild.textContent = query ? "Query" : "Text";
  parts.secondLine.firstElementChild.textContent = query ? "Text" : "Second text";
  parts.secondLine.hidden = !first.described || first.described.task.reads === "text";
  parts.table.forModel(first.described);
  if (!["empty", "error"].includes(parts.answer.dataset.state) && parts.mode === "text") run();
  judge();
}

// What a gate said of the two, once it said something: a server without a registry has no such card.
async function judge() {
  const [sides, card] = [chosenSides(), parts.gate];
  const mine = (judging = {});
  if (sides[0] === sides[1]) return (card.hidden = true);
  let content;
  try {
    const verdicts = await verdictsOn(sides);
    content = verdicts && drawGate(verdicts, sides);
  } catch (refusal) {
    content = [refused(refusal, judge)];
  }
  if (mine !== judging) return;
  const title = Object.assign(make("h2", "title", "Verdict of the gate"), { id: "compare-gate" });
  keepFocus(() => {
    card.hidden = !content;
    card.replaceChildren(title, ...(content ?? []));
  }, () => (content ? title : section));
}

// Whether there is a new text of another view.
function takeOver() {
  if (!parts || !context.subject || context.subject === subject) return false;
  subject = context.subject;
  parts.text.value = subject.text;
  parts.second.value = subject.text_pair ?? "";
  setMode("text");
  run();
  return true;
}

// ---------------------------------------------------------------------------------------------------- a text

async function run() {
  if (parts.mode === "file") return parts.table.run();
  running?.abort();
  const [first, second] = chosenSides();
  const text = parts.text.value;
  const pair = parts.secondLine.hidden ? undefined : parts.second.value;
  if (!text.trim() || pair?.trim() === "") return fill("empty", make("p", "prompt", pair === undefined ? "There is no text yet: type one." : "Both texts are needed: type them."));
  if (first === second) return fill("empty", make("p", "prompt", "A and B are the same: pick another version for one of them."));
  const mine = (running = new AbortController());
  if (["done", "waiting"].includes(parts.answer.dataset.state)) parts.answer.dataset.state = "waiting"; // what is there stays, and fades
  else fill("reading", make("p", "reading", "Both versions are asked. Requests of others go first."));
  parts.answer.setAttribute("aria-busy", "true");
  try {
    const request = { first: sideOf(first), second: sideOf(second), text, ...(pair !== undefined && { text_pair: pair }) };
    const found = await post("/v1/compare", request, mine.signal);
    if (running !== mine) return;
    const { elements, spoken } = drawText(found, [first, second], text);
    fill("done", ...elements);
    say(spoken);
    parts.answer.querySelector(".verdict").scrollIntoView({ block: "nearest", behavior: "instant" }); // below, if narrow
  } catch (refusal) {
    if (running !== mine || refusal.name === "AbortError") return;
    fill("error", refused(refusal, run));
  }
}

function fill(state, ...elements) {
  parts.answer.dataset.state = state;
  parts.answer.removeAttribute("aria-busy");
  say("");
  const title = Object.assign(make("h2", "title", "Both answers"), { id: "compare-title" });
  keepFocus(() => parts.answer.replaceChildren(title, ...elements), () => title);
}
