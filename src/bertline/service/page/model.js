// The model: its selection, its facts, and its truncation policies.

import { at, make } from "./elements.js";
import { count, percent } from "./words.js";

const TRUNCATIONS = {
  head_tail: "head and tail",
  head: "the head",
  tail: "the tail",
  window: "all of it, in windows",
  error: "nothing: refuse it",
};

// Names in its answers: labels, or types of entities; numbers and scores have none.
export const namesOf = ({ labels, task }) => task.types ?? (task.problem === "number" || ranks({ task }) ? [] : labels);

// Whether it reads a query with each text, and its scores order the texts.
export const ranks = ({ task }) => task.reads === "query";

// Whether the page compares the embeddings of texts with that of a query.
export const compares = ({ task }) => task.task === "embed";

// Whether texts are listed by a score for a query.
export const orders = (model) => ranks(model) || compares(model);

export function showModels(models) {
  at("model").replaceChildren(...models.map(({ name }) => make("option", "", name)));
  at("model-choice").hidden = models.length < 2;
}

export function showModel(model) {
  at("model-name").textContent = model.name;
  at("model-facts").replaceChildren(...facts(model));
  at("truncation").replaceChildren(...Object.entries(TRUNCATIONS).map(([policy, words]) => {
    const option = make("option", "", policy === model.truncation ? `${words} (default)` : words);
    option.value = policy;
    option.selected = policy === model.truncation;
    return option;
  }));
}

function facts({ metrics, labels, multi_label, task, max_tokens, version, engine, ready }) {
  const short = (words) => make("li", "", words);
  const coded = (words, value) => {
    const fact = short(words);
    fact.append(make("code", "", value));
    return fact;
  };
  const names = namesOf({ labels, task });
  return [
    ...(ready ? [] : [make("li", "restarting", "restarting")]),
    ...(metrics.accuracy ? [accuracyFact(metrics.accuracy)] : []),
    ...(task.problem === "number" ? [short("predicts a number")] : []),
    ...(ranks({ task }) ? [short("ranks texts for a query")] : []),
    ...(compares({ task }) ? [short("embeds texts")] : []),
    ...(task.task === "fill" ? [short("fills in words for [MASK]")] : []),
    ...(names.length ? [short((task.types ? `${count(names.length, "type")} of entity` : count(names.length, "label")) + (multi_label ? ", several per text" : ""))] : []),
    short(`reads up to ${count(max_tokens, "token")}`),
    ...(engine ? [coded("engine ", engine)] : []),
    coded("version ", version),
  ];
}

function accuracyFact({ value, low, high }) {
  const interval = low === null || high === null ? "" : ` (95\u202f% interval ${percent(low)} to ${percent(high)})`;
  const fact = make("li", "");
  fact.append(make("strong", "", percent(value)), ` accurate on held-out text${interval}`);
  return fact;
}
