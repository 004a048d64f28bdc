// Scan: texts are changed so that the answer must stay, and those that break it are shown and saved as cases for the gate.

import { get, post } from "./api.js";
import { asks, button, make, nest } from "./elements.js";
import { keepFocus } from "./focus.js";
import { refused } from "./refusal.js";
import { Results } from "./scan-results.js";
import { Texts } from "./scan-texts.js";
import { amount, count } from "./words.js";

const MOST_TEXTS = 100; // of a scan; more hardly narrow the intervals, and take as much longer
const SEED = 0;
const PROMPT = "Give some texts, as people would write them. Labels are not needed: a changed text is compared with the text.";

let parts = null; // elements of the view
let context = null;
let probes = []; // that fit the model
let running = null;

export function show(section, next) {
  const other = context?.model !== next.model;
  context = next;
  if (!parts) section.append(...built());
  if (other) prepare();
  if (next.subject && !parts.texts.typed) parts.texts.type(next.subject);
}

export const hide = () => {};

// ---------------------------------------------------------------------------------------------------- the request

function built() {
  parts = { texts: new Texts(changed), groups: make("div", "groups"), answer: make("section", "card answer scanned") };
  parts.submit = make("button", "primary", "Scan");
  parts.trouble = make("div", "");
  const what = nest("fieldset", "what", make("legend", "", "What is changed"), parts.groups);
  const form = nest("form", "card ask", ...parts.texts.elements, what, nest("div", "send", parts.submit), parts.trouble);
  asks(form, run);
  parts.answer.setAttribute("aria-labelledby", "scan-title");
  parts.spoken = make("p", "visually-hidden");
  parts.spoken.setAttribute("role", "status");
  return [nest("div", "bench", form, parts.answer), parts.spoken];
}

// For another model.
async function prepare() {
  running?.abort();
  const { model, named } = context;
  parts.texts.prepare(context);
  fill("empty", make("p", "prompt", PROMPT));
  probes = [];
  const what = parts.groups.parentElement;
  keepFocus(() => parts.groups.replaceChildren(make("p", "reading", "Looking for probes…")), () => what);
  changed();
  try {
    const found = await get("/v1/scan", named ? { model: model.name } : {});
    if (context.model !== model) return;
    probes = found.probes;
    parts.groups.replaceChildren(...groups().map(choice));
  } catch (refusal) {
    if (context.model === model) parts.groups.replaceChildren(refused(refusal, prepare));
  }
  changed();
}

const groups = () => [...new Set(probes.map(({ group }) => group))];

// A group of probes, with what each of them changes.
function choice(group, place) {
  const id = `scan-group-${place}`;
  const box = Object.assign(make("input", ""), { type: "checkbox", id, checked: true, value: group });
  box.setAttribute("aria-describedby", `${id}-about`);
  box.addEventListener("change", changed);
  const label = Object.assign(make("label", "", group[0].toUpperCase() + group.slice(1)), { htmlFor: id });
  const about = Object.assign(make("p", "about", probes.filter((one) => one.group === group).map(({ about: words }) => words).join("; ")), { id: `${id}-about` });
  return nest("div", "group", box, nest("div", "", label, about));
}

const chosen = () => [...parts.groups.querySelectorAll("input:checked")].map(({ value }) => value);

function changed() {
  const number = Math.min(parts.texts.number, most());
  parts.submit.textContent = running ? "Scan anew" : number ? `Scan ${count(number, "text")}` : "Scan";
}

const most = () => Math.min(MOST_TEXTS, context?.limits.max_batch_texts ?? MOST_TEXTS);

// ---------------------------------------------------------------------------------------------------- the scan

async function run() {
  running?.abort();
  const mine = (running = new AbortController());
  parts.trouble.replaceChildren();
  if (!chosen().length) return stop(mine, "Choose at least one kind of change.");
  try {
    const texts = await parts.texts.take(most(), mine.signal);
    if (running !== mine) return;
    if (!texts.texts.length) return stop(mine, texts.missing);
    await scanned(mine, texts, chosen());
  } catch (refusal) {
    if (running !== mine || refusal.name === "AbortError") return;
    running = null;
    fill("error", refused(refusal, run));
  }
}

function stop(mine, words) {
  if (running === mine) running = null;
  parts.trouble.replaceChildren(nest("p", "error", words));
  parts.trouble.firstChild.setAttribute("role", "alert");
  changed();
}

// One group after the other, so that the first results are there soon and a scan can be ended.
async function scanned(mine, { texts, given }, names) {
  const results = new Results(context, { texts: texts.length, given });
  const progress = Object.assign(document.createElement("progress"), { max: names.length, value: 0 });
  const title = make("h2", "title", "What broke");
  title.id = "scan-title";
  progress.setAttribute("aria-labelledby", title.id);
  const pace = make("p", "pace");
  const cancel = button("quiet", "Cancel", () => {
    mine.abort();
    end("Cancelled.");
  });
  const trouble = make("div", "");
  const head = nest("div", "running", progress, pace, nest("p", "", cancel));
  const end = (words, { refusal = false } = {}) => {
    running = null;
    const tried = `${words} ${amount(progress.value)} of ${count(names.length, "kind")} of changes tried.`;
    const part = progress.value < names.length ? [make("p", "cut", tried)] : [];
    keepFocus(() => head.replaceWith(...part), () => title); // Cancel goes
    if (!refusal) trouble.replaceChildren();
    parts.answer.dataset.state = "done";
    parts.answer.removeAttribute("aria-busy");
    results.finish();
    parts.spoken.textContent = `${words} ${results.summary()}`;
    changed();
  };
  parts.answer.dataset.state = "running";
  parts.answer.setAttribute("aria-busy", "true");
  keepFocus(() => parts.answer.replaceChildren(title, head, trouble, ...results.elements), () => title);
  changed();
  for (let place = 0; place < names.length;) {
    pace.textContent = `${names[place][0].toUpperCase()}${names[place].slice(1)}, ${amount(place + 1)} of ${amount(names.length)}. Requests of others go first.`;
    try {
      const found = await post("/v1/scan", { ...(context.named && { model: context.model.name }), texts, probes: [names[place]], seed: SEED, passed: true }, mine.signal);
      if (running !== mine) return;
      results.add(found);
      progress.value = place += 1;
    } catch (refusal) {
      if (running !== mine || refusal.name === "AbortError") return;
      const worth = await again(trouble, refusal, title);
      if (running !== mine) return;
      if (!worth) return end("Stopped.", { refusal: true });
    }
  }
  end("Done.");
}

// Whether a refused request is sent again; what was found so far stays.
function again(box, refusal, title) {
  return new Promise((resolve) => {
    box.replaceChildren(refused(refusal, () => {
      keepFocus(() => box.replaceChildren(), () => title);
      resolve(true);
    }));
    if (!refusal.again) resolve(false);
  });
}

function fill(state, ...elements) {
  parts.answer.dataset.state = state;
  parts.answer.removeAttribute("aria-busy");
  parts.spoken.textContent = "";
  const title = make("h2", "title", "What broke");
  title.id = "scan-title";
  keepFocus(() => parts.answer.replaceChildren(title, ...elements), () => title);
  changed();
}
