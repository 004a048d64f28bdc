// How a correct answer is given, by the kind of model: one label, several labels, a number, or relevance to a query.
// Each has press(key), which is true if it took the key, and elements; said(correct) is called with an answer.

import { button, field, make, nest } from "./elements.js";
import { ranks } from "./model.js";

// Keys of labels. u, s and m are taken.
const KEYS = [..."123456789abcdefghijklnopqrtvwxyz"];

export function correctOf(model, said) {
  if (model.task.problem === "number") return number(said);
  if (ranks(model)) return choices([["relevant", true], ["not relevant", false]], said);
  const labels = model.labels.map((label) => [label, label]);
  return model.multi_label ? several(labels, said) : choices(labels, said);
}

function keyed(label, place, pressed) {
  const one = button("answer-key", "", pressed);
  if (KEYS[place]) one.append(make("kbd", "", KEYS[place]), " ");
  one.append(make("span", "", label));
  if (KEYS[place]) one.setAttribute("aria-keyshortcuts", KEYS[place]);
  return one;
}

function choices(options, said) {
  const buttons = options.map(([label, correct], place) => keyed(label, place, () => said(correct)));
  return {
    elements: [nest("div", "answer-keys", ...buttons)],
    press: (key) => pressed(buttons, key),
    clear() {},
  };
}

function several(options, said) {
  const buttons = options.map(([label], place) => keyed(label, place, ({ currentTarget }) => {
    currentTarget.setAttribute("aria-pressed", String(currentTarget.getAttribute("aria-pressed") !== "true"));
  }));
  const chosen = () => options.filter((_, place) => buttons[place].getAttribute("aria-pressed") === "true").map(([, correct]) => correct);
  const clear = () => buttons.forEach((one) => one.setAttribute("aria-pressed", "false"));
  const done = button("primary", "These labels", () => said(chosen()));
  done.append(" ", make("kbd", "", "Enter"));
  clear();
  return {
    elements: [nest("div", "answer-keys", ...buttons), nest("div", "send", done)],
    press(key) {
      if (key !== "Enter") return pressed(buttons, key);
      said(chosen());
      return true;
    },
    clear,
  };
}

function number(said) {
  const input = make("input", "");
  Object.assign(input, { type: "number", step: "any", autocomplete: "off" });
  const give = () => {
    if (input.value !== "") said(Number(input.value));
  };
  const form = nest("form", "answer-number", field("choice", "Correct number", "label-number", input), make("button", "primary", "Save"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    give();
  });
  return { elements: [form], press: () => false, clear: () => { input.value = ""; } };
}

function pressed(buttons, key) {
  const place = KEYS.indexOf(key.toLowerCase());
  if (place < 0 || !buttons[place]) return false;
  buttons[place].click();
  return true;
}
