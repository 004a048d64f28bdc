// The rows of a comparison: those that differ first, to sort, to search and to download.

import { button, make, nest, select } from "./elements.js";
import { written } from "./csv.js";
import { keepFocus } from "./focus.js";
import { amount, count, percent } from "./words.js";

const STEP = 50; // rows that are added at a time
const SHOWN = [
  ["differ", "with different answers", (one) => one.agree === false],
  ["all", "all", () => true],
  ["first", "only A right", (one) => one.firstRight === true && one.secondRight === false],
  ["second", "only B right", (one) => one.secondRight === true && one.firstRight === false],
  ["wrong", "both wrong", (one) => one.firstRight === false && one.secondRight === false],
];
const ORDERS = [["shift", "largest difference first"], ["line", "as in the file"], ["text", "by text"]];

export function drawRows(result, about) {
  const rows = rowsOf(result, about);
  const judged = rows.some(({ firstRight }) => firstRight !== null);
  const shown = select(SHOWN.slice(0, judged ? undefined : 2).map(([value, words, fits]) => [value, `${words} (${amount(rows.filter(fits).length)})`]), draw);
  const order = select(ORDERS, draw);
  const search = Object.assign(document.createElement("input"), { type: "search", autocomplete: "off" });
  search.addEventListener("input", draw);
  const body = make("tbody", "");
  const heads = ["Line", "Text", "A", "B", "Apart", ...(judged ? ["Label"] : [])];
  const table = nest("table", "", make("caption", "visually-hidden", "Rows"), nest("thead", "", nest("tr", "", ...heads.map((words) => Object.assign(make("th", "", words), { scope: "col" })))), body);
  const scroll = nest("div", "scroll", table);
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "Table: rows");
  const found = make("p", "soft");
  found.setAttribute("role", "status");
  const more = button("quiet", "", () => add());
  let chosen = [];
  let drawn = 0;

  function add() {
    const next = chosen.slice(drawn, drawn + STEP);
    const lines = next.map((one) => line(one, judged, about));
    body.append(...lines);
    drawn += next.length;
    keepFocus(() => { more.hidden = drawn >= chosen.length; }, () => lines[0].firstElementChild);
    more.textContent = `Show ${amount(Math.min(STEP, chosen.length - drawn))} more`;
  }

  function draw() {
    const fits = SHOWN.find(([value]) => value === shown.value)[2];
    const wanted = search.value.trim().toLowerCase();
    chosen = rows.filter((one) => fits(one) && (!wanted || one.text.toLowerCase().includes(wanted)));
    if (order.value === "shift") chosen.sort((one, other) => other.shift - one.shift || one.line - other.line);
    if (order.value === "text") chosen.sort((one, other) => one.text.localeCompare(other.text));
    drawn = 0;
    body.replaceChildren();
    add();
    found.textContent = chosen.length ? count(chosen.length, "row") : "No such row.";
    scroll.hidden = !chosen.length;
  }

  draw();
  const labelled = (words, id, control) => nest("p", "choice", Object.assign(make("label", "", words), { htmlFor: id }), " ", Object.assign(control, { id }));
  return [
    nest("div", "choices", labelled("Rows", "compare-rows-shown", shown), labelled("Order", "compare-rows-order", order), labelled("Search", "compare-rows-search", search)),
    found, scroll, nest("div", "actions", more, button("quiet", "Download CSV", () => download(rows, judged, about))),
  ];
}

// One object for each row that was compared. The server counts the rows of the request.
function rowsOf({ answers }, { rows, request, nearest }) {
  const columns = [request.text_pair_column, request.query_column].filter(Boolean);
  const target = request.label_column ?? request.entities_column ?? request.score_column;
  const sent = (number) => request.rows[number - 1];
  const inWords = (answer, text) => (nearest && answer !== null ? sent(answers.line[answer])[request.text_column] : answerOf(answer, text));
  return answers.line.map((number, place) => {
    const row = sent(number);
    const text = [row[request.text_column], ...columns.map((name) => row[name])].join(" | ");
    return {
      line: rows[number - 1].line, text, source: rows[number - 1].fields,
      first: inWords(answers.first[place], row[request.text_column]), second: inWords(answers.second[place], row[request.text_column]),
      agree: answers.agree[place], shift: answers.shift[place],
      firstRight: answers.first_right[place], secondRight: answers.second_right[place],
      label: target === undefined ? "" : row[target],
    };
  });
}

// Labels, numbers, words for [MASK], or entities of the text. That of an embedder is the nearest other row.
function answerOf(answer, text) {
  if (answer === null) return "";
  if (Array.isArray(answer)) {
    if (answer.length && typeof answer[0] === "object") return answer.map(({ start, end, label }) => `${[...text].slice(start, end).join("")} (${label})`).join(", ");
    return answer.join(", ") || "none";
  }
  return typeof answer === "number" ? String(Number(answer.toPrecision(4))) : String(answer);
}

const mark = (right) => (right === null ? "" : right ? "\u00a0\u2713" : "\u00a0\u2717");

function line({ line: number, text, first, second, shift, agree, firstRight, secondRight, label }, judged) {
  const answer = (words, right) => {
    const cell = make("td", agree === false ? "differs" : "", `${words}${mark(right)}`);
    if (right !== null) cell.append(make("span", "visually-hidden", right ? " right" : " wrong"));
    return cell;
  };
  const excerpt = nest("td", "excerpt", make("span", "", text.length > 280 ? `${text.slice(0, 280)}…` : text));
  return nest("tr", "", Object.assign(make("th", "", amount(number)), { scope: "row" }), excerpt, answer(first, firstRight), answer(second, secondRight), make("td", "number", percent(shift)), ...(judged ? [make("td", "", label)] : []));
}

// The file's own columns, and both answers behind them.
function download(rows, judged, { header, dialect, file }) {
  const names = ["answer_a", "answer_b", "agree", "difference", ...(judged ? ["right_a", "right_b"] : [])];
  const lines = rows.map((one) => written([...one.source, one.first, one.second, one.agree === null ? "" : String(one.agree), String(one.shift), ...(judged ? [one.firstRight ?? "", one.secondRight ?? ""].map(String) : [])], dialect));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([dialect.mark, written([...header, ...names], dialect), ...lines], { type: "text/csv;charset=utf-8" }));
  link.download = file.replace(/(\.[^.]*)?$/, (ending) => `-compared${ending || ".csv"}`);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // by then the browser has begun to save it
}
