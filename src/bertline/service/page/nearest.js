// The labelled rows of the model's bundle that are nearest to the text: what is true of each, and whether that is the label
// that is explained. As with words, blue with a solid line is for the label, orange with a dotted line for another.

import { button, make, nest } from "./elements.js";
import { keepFocus } from "./focus.js";
import { amount } from "./words.js";

const LONG = 280; // characters of a text, from which its end is shown on demand
const MINUS = "\u2212";

const figure = (value) => new Intl.NumberFormat("en", { maximumSignificantDigits: 4 }).format(value).replace("-", MINUS);

// found: the server's answer. Elements, and what a screen reader says of them.
export function drawNearest({ nearest: rows, label }) {
  if (!rows.length) {
    const nothing = "The model carries no rows to compare with.";
    return { elements: [make("p", "", nothing)], spoken: nothing };
  }
  const said = summary(rows, label);
  return {
    elements: [
      make("p", "agreeing", said),
      nest("ol", "nearest", ...rows.map((row) => entry(row, label))),
      make("p", "note", "Similarity is the cosine of two embeddings: 1 is the nearest. These rows were held out of training, so the model did not learn from them. An answer need not rest on what makes texts alike."),
    ],
    spoken: said,
  };
}

function summary(rows, label) {
  const known = rows.filter(({ has_label: has }) => has !== null);
  if (!known.length) {
    const numbers = rows.map(({ target }) => target);
    return rows.length === 1 ? `The nearest text has the number ${figure(numbers[0])}.`
      : `The ${amount(rows.length)} nearest texts have numbers from ${figure(Math.min(...numbers))} to ${figure(Math.max(...numbers))}.`;
  }
  const same = known.filter(({ has_label: has }) => has).length;
  const what = known.some(({ target }) => target[0]?.label !== undefined) ? `an entity ${label}` : `the label ${label}`;
  if (rows.length === 1) return `The nearest text ${same ? "has" : "does not have"} ${what}.`;
  if (same === rows.length) return `All ${amount(same)} nearest texts have ${what}.`;
  return `${same ? amount(same) : "None"} of the ${amount(rows.length)} nearest texts ${same > 1 ? "have" : "has"} ${what}.`;
}

function entry(row, label) {
  const { text, text_pair: second, similarity, split, line } = row;
  const place = `${split === "test" ? "test" : "validation"} row ${amount(line)}`;
  return nest(
    "li",
    "",
    nest("p", "near-head", make("strong", "", truth(row)), ...agreement(row, label), make("span", "near-facts", `similarity ${similarity.toFixed(2).replace("-", MINUS)}, ${place}`)),
    ...[text, second].filter((one) => one !== undefined).map(written),
  );
}

// What is true of a row, in words.
function truth({ target, text }) {
  if (typeof target === "number") return figure(target);
  if (typeof target === "string") return target;
  const characters = [...text]; // offsets count code points
  const names = target.map((one) => (typeof one === "string" ? one : `${characters.slice(one.start, one.end).join("")}: ${one.label}`));
  return names.join(", ") || "none";
}

function agreement({ target, has_label: has }, label) {
  if (has === null) return [];
  const single = typeof target === "string";
  const words = has ? (single ? "same label" : `has ${label}`) : single ? "another label" : `without ${label}`;
  return [make("span", `near-sign ${has ? "same" : "other"}`, words)];
}

function written(text) {
  const one = make("p", "near-text", text || "(no text)");
  one.dir = "auto";
  const characters = [...text];
  if (characters.length <= LONG) return one;
  one.textContent = `${characters.slice(0, LONG).join("").trimEnd()}… `;
  const more = button("quiet", "Show all of it", () => keepFocus(() => { one.textContent = text; }, () => one));
  one.append(more);
  return one;
}
