// How to show each kind of answer: labels as bars, entities as marks in the text, words for [MASK] as bars, numbers
// as they are.
// verdict: words and figure on top; spoken: a sentence; draw: elements; row: columns of a file. A field tells the kind.

import { barsWithMore } from "./bars.js";
import { make } from "./elements.js";
import { compares } from "./model.js";
import { amount, count, percent } from "./words.js";

const CALIBRATED = "Probabilities are calibrated: of all answers with 80\u202f%, about 80 in 100 are right.";
const SEVERAL = "Each label has a probability of its own, and is chosen if it reaches its threshold, the line across the bar.";
const NONE = "No label";
const COSINE = "A figure is the cosine of the text's embedding with the query's: the higher, the more similar are the two.";
const DIGITS = 4; // of a number

const RANKS = {
  verdict({ label, labels, probabilities }) {
    if (labels && !labels.length) return [NONE, `at most ${percent(probabilities[0].probability)}`];
    return [labels?.join(", ") ?? label, labels?.length > 1 ? "" : percent(probabilities[0].probability)];
  },
  spoken(answer) {
    const { labels, probabilities } = answer;
    if (!labels?.length) return RANKS.verdict(answer).join(", ");
    return probabilities.filter(({ label }) => labels.includes(label)).map((one) => `${one.label}, ${percent(one.probability)}`).join("; ");
  },
  names: ({ label, labels }) => labels ?? [label],
  draw: (answer, _, model) => barsWithMore(sharesOf(answer, model)),
  row(answer) {
    const chosen = RANKS.names(answer);
    const share = (one) => answer.probabilities.find(({ label }) => label === one).probability;
    return { label: chosen.join("|"), probability: chosen.map(share).join("|"), chosen };
  },
  note: (model) => (model.multi_label ? `${SEVERAL} ${CALIBRATED}` : CALIBRATED),
};

const ENTITIES = {
  verdict: ({ entities }) => [entities.length ? entitiesOf(entities.length) : "No entities", ""],
  spoken: ({ entities }) => entities.map(({ text, label }) => `${text}, ${label}`).join("; ") || "No entities",
  names: ({ entities }) => entities.map(({ label }) => label),
  draw: ({ entities }, text) => [marked(entities, text), listed(entities)],
  row: ({ entities }) => ({ label: JSON.stringify(entities), probability: "", chosen: [...new Set(entities.map(({ label }) => label))] }),
  note: () => "A percentage is the mean, over the words of an entity, of the probability that the word belongs to one of its type.",
};

const MASKS = {
  verdict({ masks }) {
    return [masks.map(({ tokens }) => tokens[0].token).join(" · "), masks.length === 1 ? percent(masks[0].tokens[0].probability) : ""];
  },
  spoken: ({ filled }) => filled,
  names: ({ masks }) => masks.map(({ tokens }) => tokens[0].token),
  draw({ masks, cut_masks }, text) {
    const sentence = marked(masks.map(({ start, end, tokens }) => ({ start, end, text: tokens[0].token })), text);
    sentence.setAttribute("aria-live", "polite"); // read aloud with the word that is chosen
    const words = sentence.querySelectorAll("mark");
    const row = ({ token, probability }, rank, place) => ({ label: token, share: probability, best: !rank, choose: () => { words[place].textContent = token; } });
    return [
      sentence,
      ...(cut_masks ? [make("p", "note", `${count(cut_masks, "masked word")} in the part that was left out.`)] : []),
      ...masks.flatMap(({ tokens }, place) => [
        ...(masks.length > 1 ? [make("p", "title", `${place + 1} of ${count(masks.length, "masked word")}`)] : []),
        ...barsWithMore(tokens.map((one, rank) => row(one, rank, place))),
      ]),
    ];
  },
  row: ({ filled, masks }) => ({ label: filled, probability: masks.map(({ tokens }) => tokens[0].probability).join("|"), chosen: [] }),
  note: () => "A percentage is the probability of a word among the whole vocabulary. Each masked word is filled in by itself. Choose a word to read the text with it.",
};

const NUMBER = {
  verdict: ({ number }) => [written(number), ""],
  spoken: ({ number }) => written(number),
  names: () => [],
  draw: () => [],
  row: ({ number }) => ({ label: String(number), probability: "", chosen: [] }),
  note: () => "",
};

const SCORE = {
  verdict: ({ score }) => ["", written(score)],
  spoken: ({ score }) => written(score),
  names: () => [],
  draw: () => [],
  row: ({ score }) => ({ label: String(score), probability: "", chosen: [] }),
  note: (model) => (compares(model) ? COSINE : "The higher a score, the more relevant is the text to the query."),
};

// Answers of any other task, as JSON.
const OTHER = {
  verdict: () => ["Answered", ""],
  spoken: () => "Answered",
  names: () => [],
  draw: (answer) => [make("pre", "", JSON.stringify(answer, null, 2))],
  row: (answer) => ({ label: JSON.stringify(answer), probability: "", chosen: [] }),
  note: () => "",
};

const KINDS = { probabilities: RANKS, entities: ENTITIES, masks: MASKS, number: NUMBER, score: SCORE };

export const kindOf = (answer) => KINDS[Object.keys(KINDS).find((field) => field in answer)] ?? OTHER;

// Empty bars before the first answer, if the model ranks labels.
export const emptyBars = (model) => (model.task.task === "classify" && model.task.problem !== "number" ? model.labels.map((label) => ({ label, share: 0 })) : []);

// The labels of an answer, with marks of those that were chosen, and thresholds.
function sharesOf(answer, { labels, multi_label, task }) {
  const chosen = new Set(RANKS.names(answer));
  const least = (label) => (multi_label ? task.thresholds?.[labels.indexOf(label)] ?? 0.5 : undefined);
  return answer.probabilities.map(({ label, probability }) => ({ label, share: probability, best: chosen.has(label), least: least(label) }));
}

// A mark shows its characters, or another text in their place. Offsets count code points; JavaScript strings consist of UTF-16 units.
function marked(entities, text) {
  const points = [...text];
  const paragraph = make("p", "marked");
  let end = 0;
  for (const one of entities) {
    const mark = make("mark", "", one.text ?? points.slice(one.start, one.end).join(""));
    if (one.label) mark.append(make("small", "", one.label));
    paragraph.append(points.slice(end, one.start).join(""), mark);
    end = one.end;
  }
  paragraph.append(points.slice(end).join(""));
  return paragraph;
}

function listed(entities) {
  const list = make("ol", "entities");
  list.append(...entities.map(({ text, label, score, start, end }) => {
    const line = make("li", "");
    line.append(make("span", "label", text), make("span", "type", label), make("span", "place", `${start}–${end}`), make("span", "value", percent(score)));
    return line;
  }));
  return list;
}

const written = (number) => new Intl.NumberFormat("en", { maximumSignificantDigits: DIGITS }).format(number);
const entitiesOf = (number) => (number === 1 ? "1 entity" : `${amount(number)} entities`);
