// Confusion matrices of two versions: of A, of B, or what B changes.

import { make, nest, select } from "./elements.js";
import { amount } from "./words.js";

const MOST = 30; // labels of a matrix
const SHOWN = [["second-first", "B minus A"], ["first", "A"], ["second", "B"]];
const MINUS = "\u2212";
const signed = (number) => (number > 0 ? `+${amount(number)}` : amount(number).replace("-", MINUS));

export function drawMatrix(confusion) {
  const { labels } = confusion;
  if (labels.length > MOST) return [make("p", "soft", `${amount(labels.length)} labels are too many for a picture. These change most:`), ...list(confusion)];
  const box = make("div", "scroll");
  Object.assign(box, { tabIndex: 0 });
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "Table: confusion");
  const choice = select(SHOWN, () => box.replaceChildren(matrix(confusion, choice.value)));
  choice.id = "compare-matrix";
  const label = Object.assign(make("label", "", "Show"), { htmlFor: choice.id });
  box.replaceChildren(matrix(confusion, SHOWN[0][0]));
  return [nest("p", "choice", label, " ", choice), box, make("p", "note", "Rows are the true labels, columns the answers. On the diagonal more is better, elsewhere less.")];
}

const valueOf = ({ first, second }, which, row, column) => (which === "first" ? first[row][column] : which === "second" ? second[row][column] : second[row][column] - first[row][column]);

function matrix(confusion, which) {
  const { labels } = confusion;
  const difference = which === "second-first";
  const values = labels.map((_, row) => labels.map((__, column) => valueOf(confusion, which, row, column)));
  const most = Math.max(1, ...values.flat().map(Math.abs));
  const heads = labels.map((name) => Object.assign(make("th", "", name), { scope: "col" }));
  const rows = values.map((numbers, row) => nest("tr", "", Object.assign(make("th", "", labels[row]), { scope: "row" }), ...numbers.map((number, column) => cell(number, { good: difference ? (row === column) === number > 0 : row === column, strength: Math.abs(number) / most, difference }))));
  const caption = { first: "Confusion of A", second: "Confusion of B", "second-first": "Confusion of B minus that of A" }[which];
  return nest("table", "matrix", make("caption", "visually-hidden", caption), nest("thead", "", nest("tr", "", Object.assign(make("th", "", "true \u2193 answer \u2192"), { scope: "col" }), ...heads)), nest("tbody", "", ...rows));
}

function cell(number, { good, strength, difference }) {
  const one = make("td", number ? (good ? "good" : "bad") : "", difference ? signed(number) : amount(number));
  one.style.setProperty("--strength", strength.toFixed(2));
  return one;
}

function list(confusion) {
  const { labels } = confusion;
  const all = labels.flatMap((truth, row) => labels.map((answer, column) => [truth, answer, valueOf(confusion, "second-first", row, column)])).filter(([, , number]) => number);
  const lines = all.sort((one, other) => Math.abs(other[2]) - Math.abs(one[2])).slice(0, MOST);
  if (!lines.length) return [make("p", "", "No cell changes.")];
  return [nest("ol", "cells", ...lines.map(([truth, answer, number]) => make("li", "", `${signed(number)} of ${truth} ${truth === answer ? "right" : `answered ${answer}`}`)))];
}
