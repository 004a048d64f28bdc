// What a scan found: a line for each probe, which opens to the texts that broke it, and the cases for the gate.

import { button, field, make, nest, select } from "./elements.js";
import { keepFocus } from "./focus.js";
import { go, hand } from "./views.js";
import { amount, count, percent } from "./words.js";

const FOLD_AFTER = 5; // texts of a probe
const NEAR = 120; // characters around a change
const LIKELY = "What is true of a text only likely stays the same here: read the texts before you believe the figure.";
const KEPT = [["cases", "those that broke"], ["all", "all, those that passed too"]];
const MEANT = {
  cases: "This version fails all of them, and the gate shows how many a new version passes:",
  all: "A new version must not fail surely more of them than this one:",
};

export class Results {
  constructor({ model }, { texts, given }) {
    Object.assign(this, { model, found: [], cases: [], passed: [] });
    const part = given > texts ? `${amount(texts)} of ${count(given, "text")}, spread evenly` : count(texts, "text");
    this.about = make("p", "soft", `${part}. A share is of the texts that have something to change, with its 95\u202f% interval.`);
    this.list = make("ol", "texts probes");
    this.none = make("p", "note");
    this.save = make("div", "save");
    this.save.hidden = true;
    this.elements = [this.about, this.list, this.none, this.save];
  }

  add({ probes, cases, passed }) {
    this.found.push(...probes);
    this.cases.push(...cases);
    this.passed.push(...passed);
    const tried = this.found.filter(({ texts }) => texts).sort((one, other) => other.rate.value - one.rate.value || other.texts - one.texts);
    const open = new Set([...this.list.querySelectorAll("details[open]")].map(({ dataset }) => dataset.probe));
    const looked = document.activeElement.closest("details[data-probe]")?.dataset.probe;
    const same = () => [...this.list.querySelectorAll("details")].find(({ dataset }) => dataset.probe === looked).firstElementChild;
    keepFocus(() => this.list.replaceChildren(...tried.map((probe) => this.line(probe, open.has(probe.name)))), same);
    const without = this.found.filter(({ texts }) => !texts).map(({ name }) => name);
    this.none.textContent = without.length ? `Nothing in these texts to change for: ${without.join(", ")}.` : "";
  }

  finish() {
    if (!this.found.length) return;
    this.save.hidden = false;
    this.save.replaceChildren(...(this.cases.length + this.passed.length ? this.saving() : [make("p", "", "No text could be changed, so there are no cases.")]));
  }

  summary() {
    const broken = this.found.reduce((sum, { failed }) => sum + failed, 0);
    const tried = this.found.reduce((sum, { texts }) => sum + texts, 0);
    if (!tried) return this.found.length ? "No text had anything to change." : "";
    return broken ? `${amount(broken)} of ${count(tried, "changed text")} broke the answer.` : `None of ${count(tried, "changed text")} broke the answer.`;
  }

  // ------------------------------------------------------------------------------------------------ one probe

  line(probe, open) {
    const { name, failed, texts, rate, broken } = probe;
    const bar = make("span", "interval");
    bar.setAttribute("aria-hidden", "true");
    for (const [key, value] of Object.entries(rate)) bar.style.setProperty(`--${key}`, value);
    bar.append(make("span", "range"), make("span", "point"));
    const figure = make("span", "value", `${amount(failed)} of ${amount(texts)}`);
    const summary = nest("summary", "", nest("span", "excerpt", make("strong", "", name)), figure, bar);
    const details = nest("details", "", summary, ...this.told(probe), ...(broken.length ? this.brokenOf(probe) : []));
    details.dataset.probe = name;
    details.open = open;
    return nest("li", failed ? "" : "whole", details);
  }

  told({ about, rate, texts, alike, truth, kind }) {
    const alikes = alike ? ` The model reads ${alike === texts ? "all of them" : amount(alike)} as the same tokens.` : "";
    const wanted = kind === "direction" ? "The probability of the label named must not move the other way by more than 5 points." : "The answer must stay the same.";
    return [
      make("p", "told", `${about[0].toUpperCase()}${about.slice(1)}. ${wanted}`),
      make("p", "told", `Broken: ${percent(rate.value)} (${percent(rate.low)} to ${percent(rate.high)}).${alikes}`),
      ...(truth === "likely" ? [make("p", "told likely", LIKELY)] : []),
    ];
  }

  brokenOf({ name, broken }) {
    const items = broken.map((one) => nest("li", "", this.side("Text", one.before, "del"), this.side("Changed", one.after, "ins", one)));
    items.forEach((item, place) => { item.hidden = place >= FOLD_AFTER; });
    const list = nest("ol", "broken", ...items);
    list.setAttribute("aria-label", `Texts that broke it: ${name}`);
    if (items.length <= FOLD_AFTER) return [list];
    const more = button("quiet", `Show all ${count(items.length, "text")}`, () => {
      for (const item of items) item.hidden = false;
      keepFocus(() => { more.hidden = true; }, () => items[FOLD_AFTER]);
    });
    return [list, more];
  }

  side(words, { texts, marks, answer, probability }, tag, one) {
    const said = nest("span", "said", make("span", "side", `${words}: `), make("strong", "", answer), probability === null ? "" : ` ${percent(probability)}`);
    const head = nest("p", "side-head", said);
    if (one) head.append(button("quiet why", "Why?", () => this.why(one)));
    return nest("div", "", head, ...texts.map((text, place) => nest("p", "sentence", ...marked(text, marks[place], tag))));
  }

  why({ after: { texts, answer }, label }) {
    const named = (this.model.labels ?? []).includes(answer) ? answer : label;
    hand({ text: texts[0], ...(texts.length > 1 && { text_pair: texts[1] }), ...(named && { label: named }) });
    go("explain");
  }

  // ------------------------------------------------------------------------------------------------ the file

  saving() {
    const which = select(KEPT, () => update());
    const file = `${this.model.name.replaceAll(/[^\w.-]+/g, "-")}-cases.jsonl`;
    const download = button("primary", "", () => saved(file, this.chosen(which.value)));
    const meant = make("p", "note");
    const update = () => {
      const { length } = this.chosen(which.value);
      meant.textContent = MEANT[which.value];
      download.textContent = `Download ${count(length, "case")}`;
      download.disabled = !length;
    };
    if (!this.cases.length) which.value = "all";
    update();
    const command = make("code", "", `bertline gate NEW --champion ${this.model.name} --data FROZEN.csv --behaviour ${file}`);
    return [make("h3", "title", "Cases for the gate"), field("choice", "Save", "scan-kept", which), nest("div", "actions", download), meant, nest("pre", "", command)];
  }

  chosen(which) {
    return which === "all" ? [...this.cases, ...this.passed] : this.cases;
  }
}

// A text with the words that differ in it; positions count characters, as Python does. Of what is far from them only the
// beginning and the end are shown.
function marked(text, spans, tag) {
  const characters = [...text];
  const nodes = [];
  let end = 0;
  for (const [from, to] of spans) {
    nodes.push(near(characters.slice(end, from), end > 0, true), make(tag, "", characters.slice(from, to).join("")));
    end = to;
  }
  return [...nodes, near(characters.slice(end), end > 0, false)];
}

// Characters before or behind a change, or between two.
function near(characters, behind, before) {
  const room = NEAR * ((behind || !before) + (before || !behind));
  if (characters.length <= room + 1) return characters.join("");
  const head = behind || !before ? characters.slice(0, NEAR).join("") : "";
  const tail = before ? characters.slice(-NEAR).join("") : "";
  return `${head}…${tail}`;
}

function saved(name, cases) {
  const url = URL.createObjectURL(new Blob([cases.map((one) => `${JSON.stringify(one)}\n`).join("")], { type: "application/x-ndjson" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
