// How labelling goes: what waits, who labelled how much, how far people agree, and the labels as a table.

import { address } from "./api.js";
import { make, nest } from "./elements.js";
import { amount, count } from "./words.js";

const REASONS = {
  "label error": ["label looks wrong", "labels look wrong"],
  disagreement: ["answer differs from a shadow\u2019s", "answers differ from a shadow\u2019s"],
  foreign: ["text unlike those that the model was measured on", "texts unlike those that the model was measured on"],
  unsure: ["answer without a label, the least sure first", "answers without a label, the least sure first"],
  "second opinion": ["label for a second opinion", "labels for a second opinion"],
};
const NEEDED = 20; // shared texts, as on the server

export function drawProgress(box, { model, waiting, labelled, annotators, shared, same, agreement, more_labels: more }, named) {
  const table = address(`/v1/review/labels.csv${named ? `?model=${encodeURIComponent(model)}` : ""}`);
  const link = Object.assign(make("a", "download", "Labels as CSV"), { href: table, download: "labels.csv" });
  box.replaceChildren(
    make("h2", "title", "Progress"),
    make("p", "figure", count(labelled, "labelled text")),
    ...(Object.keys(waiting).length ? [nest("ul", "waiting", ...Object.entries(waiting).map(([why, number]) => make("li", "", `${amount(number)} ${REASONS[why][number === 1 ? 0 : 1]}`)))] : []),
    ...(annotators.length ? [people(annotators)] : []),
    ...(annotators.length > 1 || shared ? [make("p", "agreement", agreed({ shared, same, agreement }))] : []),
    ...(more ? [make("p", "agreement", bought(more))] : []),
    ...(labelled ? [nest("p", "", link), nest("p", "note", "Train on them: ", make("code", "", "bertline train labels.csv --out NEW"))] : []),
  );
}

function people(annotators) {
  const row = ({ name, texts }) => nest("tr", "", Object.assign(make("th", "", name || "no name"), { scope: "row" }), make("td", "", amount(texts)));
  return nest("table", "people", make("caption", "visually-hidden", "Labelled texts by annotator"), nest("tbody", "", ...annotators.map(row)));
}

const points = (share) => (100 * share).toFixed(1);

function bought({ labels, gain: { value, low, high } }) {
  return `${amount(labels)} more labels of texts chosen at random would raise the accuracy by about ${points(value)} points (${points(low)} to ${points(high)}), by the learning curve of the training. Those that wait here were chosen for a reason, so they may buy more.`;
}

function agreed({ shared, same, agreement }) {
  if (!shared) return "No text has labels of two people yet, so there is no agreement to measure.";
  const texts = `${count(shared, "text")} with labels of two people, the same on ${amount(same)}`;
  if (shared < NEEDED) return `Agreement: too few texts. ${texts}; from ${NEEDED} on it is measured.`;
  if (!agreement) return `Agreement: ${texts}. All have one label, so chance cannot be told apart.`;
  const { value, low, high } = agreement;
  return `Agreement (Krippendorff\u2019s alpha): ${value.toFixed(2)}, 95\u202f% interval ${low.toFixed(2)} to ${high.toFixed(2)}. ${texts}.`;
}
