// The steps of a sentence through the model, each with its paragraph, its formula and its numbers.

import { drawBars } from "./bars.js";
import { make, nest } from "./elements.js";
import { figure, row, share, strip } from "./anatomy-strips.js";
import { percent } from "./words.js";

const NAMES = {
  token: "Token", position: "Position", segment: "Segment", sum: "Sum", normalised: "After LayerNorm", state: "State",
  query: "Query", key: "Key", value: "Value", mixed: "Result of the head", attended: "State after attention",
  inner: "Inner activations", output: "State after the layer", first: "First token", mean: "Mean of all", pooled: "What is read",
};

const vectors = (values, names) => names.filter((name) => values[name]).map((name) => strip(NAMES[name], values[name]));

// By the name of a step: its picture. found: the server's answer.
const PICTURES = {
  tokens: (_, { tokens }) => [ids(tokens)],
  embeddings: (values) => vectors(values, ["token", "position", "segment", "sum", "normalised", "state"]),
  projections: (values) => vectors(values, ["state", "query", "key", "value"]),
  scores: ({ scores }, { tokens }) => [row("Scores", tokens, scores)],
  weights: ({ weights }, { tokens }) => [row("Weights", tokens, weights, share)],
  mixed: (values) => vectors(values, ["mixed"]),
  both_ways: ({ bidirectional, causal }, { tokens }) => [
    make("p", "side", "Both ways"), row("Weights, both ways", tokens, bidirectional, share),
    make("p", "side", "Causal"), row("Weights of a causal model", tokens, causal, share),
  ],
  joined: ({ heads, attended }, { head }) => [
    nest("div", "joined", ...heads.map((one, place) => strip(`Head ${place + 1}`, one, place === head))),
    strip(NAMES.attended, attended),
  ],
  feed_forward: (values) => vectors(values, ["inner", "output"]),
  pooled: (values) => vectors(values, ["first", "mean", "pooled"]),
  answer: (values) => [answer(values)],
};

export function step({ name, title, says, formula, values }, place, found) {
  const picture = PICTURES[name]?.(values, found) ?? [];
  return nest("li", "step", nest("h3", "", make("span", "number", `${place}`), " ", title), make("p", "formula", formula), make("p", "says", says), ...picture);
}

function ids(tokens) {
  const list = make("ol", "row");
  list.setAttribute("aria-label", "Tokens and their ids");
  for (const { text, id, kind } of tokens) {
    list.append(nest("li", `cell ${kind}`, make("span", "piece", text), " ", make("span", "value", String(id))));
  }
  return list;
}

function answer({ labels, logits, probabilities }) {
  const list = make("ol", "bars");
  const best = probabilities.indexOf(Math.max(...probabilities));
  const number = probabilities.some((one) => one < 0 || one > 1) || (labels.length === 1 && probabilities[0] === logits[0]);
  const rows = labels.map((label, place) => ({
    label,
    share: number ? 0 : probabilities[place],
    best: place === best,
    value: number ? figure(logits[place]) : `${figure(logits[place])} → ${percent(probabilities[place])}`,
  }));
  drawBars(list, rows);
  return list;
}

// What words and windows say by themselves, and a lexicon beside the words.
export function alone({ label, words, windows, window, says }, number) {
  const shown = number ? (value) => figure(value) : percent;
  const lexicon = words.some(({ valence }) => valence !== null);
  return nest(
    "section",
    "card alone",
    make("h2", "title", "Parts by themselves"),
    make("p", "says", says),
    make("p", "side", `Each word alone${number ? "" : `: ${label}`}`),
    pieces("Words alone", words, { shown, lexicon, number }),
    ...(words.some(({ why }) => why) ? [make("h3", "side", "Where the list and the model differ, and why"), reasons(words)] : []),
    make("p", "side", `Each window of ${window} words${number ? "" : `: ${label}`}`),
    pieces("Windows alone", windows, { shown, number }),
  );
}

function reasons(words) {
  const told = words.filter(({ why }, place) => why && words.findIndex((one) => one.text === words[place].text && one.why === why) === place);
  return nest("dl", "reasons", ...told.flatMap(({ text, valence, why }) => {
    const term = nest("dt", "", make("span", "piece", text), " ", make("span", "valence", valence === null ? "not in the list" : `list ${figure(valence, 1)}`));
    return [term, make("dd", "", why)];
  }));
}

// number: its values are no probabilities, and compared with the largest.
function pieces(label, parts, { shown, lexicon = false, number }) {
  const most = number ? Math.max(...parts.map(({ shown: value }) => Math.abs(value))) || 1 : 1;
  const list = make("ol", "row");
  list.setAttribute("aria-label", label);
  for (const { text, shown: value, valence, differs } of parts) {
    const kind = `cell${differs ? " differs" : ""}${value < 0 ? " below" : ""}`;
    const cell = nest("li", kind, make("span", "piece", text), " ", make("span", "value", shown(value)));
    if (lexicon) cell.append(" ", make("span", "valence", valence === null ? "–" : `${differs ? "≠ " : ""}list ${figure(valence, 1)}`));
    cell.style.setProperty("--strength", (Math.abs(value) / most).toFixed(3));
    list.append(cell);
  }
  return list;
}
