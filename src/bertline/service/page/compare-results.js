// What two versions make of a table: the verdict, figures of both, checks of the gate, charts, confusion, slices, rows.

import { chart } from "./charts.js";
import { drawRows } from "./compare-rows.js";
import { drawMatrix } from "./compare-matrix.js";
import { make, nest } from "./elements.js";
import { amount, count, hundredths, milliseconds, percent, rounded } from "./words.js";

const MINUS = "\u2212";
const LEAK = 0.01; // of the rows; news repeat
const SHARES = /accuracy|f1|precision|recall|ece|match/i;
const BINS = 20; // of the chart of differences
const TICKS = [0, 1, 10, 100, 1000, 10_000]; // rows, on a logarithmic scale
const TABLE_ROLES = { table: "table", "thead, tbody": "rowgroup", tr: "row", "th[scope=col]": "columnheader", "th[scope=row]": "rowheader", td: "cell" };
const SAYS = { yes: "yes", no: "no", undecided: "cannot tell" };

const points = (share) => `${(100 * share).toFixed(1).replace("-", MINUS)}`.replace(/^(?=\d)/, "+");
const plain = (number) => (Math.abs(number) < 10 ? number.toFixed(3) : new Intl.NumberFormat("en", { maximumSignificantDigits: 4 }).format(number)).replace("-", MINUS);
const shown = (name, value) => (SHARES.test(name) ? percent(value) : plain(value));
const within = (name, { value, low, high }) => `${shown(name, value)} (${shown(name, low)} to ${shown(name, high)})`;

// result: of the server. about: { rows, total, request, header, dialect, file, nearest }.
export function drawResults(result, about) {
  const { labelled } = result;
  const headline = result.agreement.differ ? `They differ on ${amount(result.agreement.differ)} of ${count(result.agreement.compared, "row")}` : "No row has a different answer";
  return {
    elements: [
      card("verdict-of", "Verdict", ...verdict(result, about, headline)),
      nest("div", "pair-of-cards", card("shifts", "How far the scores are apart", ...shifts(result)), card("latency", "Time for one text", ...latency(result))),
      ...(labelled ? [card("checks", "What the gate says of these rows", ...checks(labelled))] : []),
      ...(labelled ? withLabels(labelled) : [card("changes", "Most frequent changes", ...changes(result))]),
      card("rows", "Rows", ...drawRows(result, about)),
    ],
    spoken: `${headline}. ${labelled ? labelled.test.sentence : ""}`,
  };
}

function card(name, title, ...content) {
  const head = Object.assign(make("h2", "title", title), { id: `compare-${name}` });
  const one = nest("section", `card ${name}`, head, ...content);
  one.setAttribute("aria-labelledby", head.id);
  return one;
}

function tableOf(caption, head, rows) {
  const cell = (tag, words, scope) => {
    const one = words instanceof Node ? nest(tag, "", words) : make(tag, "", words);
    if (scope) one.scope = scope;
    return one;
  };
  const body = rows.map(([first, ...others]) => nest("tr", "", cell("th", first, "row"), ...others.map((words) => cell("td", words))));
  const table = nest("table", "", make("caption", "visually-hidden", caption), nest("thead", "", nest("tr", "", ...head.map((words) => cell("th", words, "col")))), nest("tbody", "", ...body));
  const box = nest("div", "scroll", table);
  Object.assign(box, { tabIndex: 0 });
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", `Table: ${caption}`); // unlike the name of its card
  return box;
}

// ---------------------------------------------------------------------------------------------------- the verdict

function verdict({ agreement, labelled, skipped, seen, rows }, { total }, headline) {
  const lines = [make("p", "verdict", headline)];
  if (agreement.compared) lines.push(make("p", "", `The same answer to ${percent(agreement.value)} of the rows, 95\u202f% interval ${percent(agreement.low)} to ${percent(agreement.high)}.`));
  if (labelled) lines.push(make("p", "sentence", labelled.test.sentence), figures(labelled));
  else lines.push(make("p", "soft", "Without labels nothing says which of the two is right. Name a column of labels for accuracy, a paired test and slices."));
  const left = Object.entries(skipped);
  const reasons = left.map(([why, number]) => `${amount(number)} with ${why}`).join(", ");
  if (left.length) lines.push(make("p", "cut", `Rows left out: ${reasons}.`));
  if (rows + left.reduce((sum, [, number]) => sum + number, 0) < total) lines.push(make("p", "cut", `${amount(rows)} of ${count(total, "row")} were compared, spread evenly over the file: a request cannot have more.`));
  for (const [letter, number] of [["A", seen.first], ["B", seen.second]]) {
    if (number !== null && number > LEAK * rows) lines.push(make("p", "cut", `${letter} has learned from ${amount(number)} of these ${count(rows, "text")}, so its figures are too good.`));
  }
  return lines;
}

function figures({ figures: all }) {
  const rows = all.map(({ name, first, second }) => [name, within(name, first), within(name, second)]);
  return nest("div", "figures", tableOf("Figures of both with 95\u202f% intervals", ["Figure", "A", "B"], rows), make("p", "note", "Both were asked the same rows, so the interval of their difference is narrower than these suggest."));
}

// A check of a table is named with the table's file, without its folder unless two files differ in that alone.
function checkNames(checks) {
  const parts = checks.map(({ name }) => name.replace(/ · rows$/, "").split(" · "));
  const paths = new Set(parts.map(([, path]) => path));
  const file = (path) => path?.split("/").at(-1);
  const alone = new Set([...paths].map(file)).size === paths.size;
  return parts.map(([check, path]) => (path === undefined ? check : `${check} · ${alone ? file(path) : path}`));
}

export function checkTable(caption, checks) {
  const names = checkNames(checks);
  const rows = checks.map(({ decision, sentence }, place) => [names[place], make("span", `says ${decision}`, SAYS[decision]), sentence]);
  const box = tableOf(caption, ["Check", "Says", "Why"], rows);
  box.classList.add("stacks");
  // Where it is narrow its cells are no longer laid out as a table, which Safari takes for the end of one.
  for (const [which, role] of Object.entries(TABLE_ROLES)) for (const one of box.querySelectorAll(which)) one.setAttribute("role", role);
  return box;
}

function checks({ checks: all }) {
  return [
    checkTable("Checks of the gate", all),
    make("p", "note", "B as the challenger of A, with the gate\u2019s own margins. The whole gate also looks at leakage, behaviour, parity, latency and size, and writes the verdict that a promotion needs: bertline gate."),
  ];
}

// ---------------------------------------------------------------------------------------------------- charts

function shifts({ answers, agreement }) {
  const same = new Array(BINS).fill(0);
  const differ = new Array(BINS).fill(0);
  answers.shift.forEach((shift, row) => { (answers.agree[row] === false ? differ : same)[Math.min(BINS - 1, Math.floor(shift * BINS))] += 1; });
  const all = same.map((number, bin) => number + differ[bin]);
  const edges = all.map((_, bin) => bin / BINS);
  const far = answers.shift.filter((shift) => shift >= 0.5).length;
  const sorted = [...answers.shift].sort((one, other) => one - other);
  const median = sorted[sorted.length >> 1] ?? 0;
  const words = `Half of the rows have scores at most ${median < 0.0005 ? hundredths(0.1) : percent(median)} apart; ${far ? count(far, "row") : "none"} at least 50\u202f%.`;
  const logged = (number) => Math.log10(1 + number);
  return [
    chart(`Rows by the difference of the scores. ${words}`, {
      x: { title: "difference of the scores", range: [0, 1], values: (_, ticks) => ticks.map((tick) => rounded(tick)) },
      y: { title: "rows", range: (_, __, most) => [0, Math.max(logged(1), most * 1.05)], splits: (_, __, ___, most) => TICKS.map(logged).filter((tick) => tick <= most), values: (_, ticks) => ticks.map((__, place) => amount(TICKS[place])) },
      data: edges,
      lines: [
        { title: "all rows", colour: "--bar", values: all.map(logged), bars: true },
        ...(agreement.differ ? [{ title: "rows with different answers", colour: "--against-line", values: differ.map(logged), bars: true }] : []),
      ],
    }),
    make("p", "note", words),
  ];
}

function latency({ latency: found }) {
  if (!found) return [make("p", "soft", "Not measured.")];
  const { texts, first, second, ratio } = found;
  const rows = [["median", milliseconds(first.p50_ms), milliseconds(second.p50_ms)], ["p99", milliseconds(first.p99_ms), milliseconds(second.p99_ms)]];
  return [
    nest("div", "figures", tableOf("Time for one text", ["Of texts", "A", "B"], rows)),
    make("p", "", `B takes ${ratio.value.toFixed(2)} times as long in the median (95\u202f% interval ${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}).`),
    make("p", "note", `${count(texts, "text")} of the table, one at a time, both in turn: tokenising and inference without waiting.${texts < 100 ? " So few texts have no reliable p99." : ""}`),
  ];
}

function reliability({ reliability: found }) {
  const bins = (one) => (Array.isArray(one) ? one : one.calibrated).filter(({ rows, count: number }) => (rows ?? number) > 0);
  const sides = [bins(found.first), bins(found.second)];
  const x = [...new Set([0, 1, ...sides.flat().map(({ confidence }) => confidence)])].sort((one, other) => one - other);
  const y = (side) => x.map((at) => side.find(({ confidence }) => confidence === at)?.accuracy?.value ?? null);
  const axis = (title) => ({ title, range: [0, 1], values: (_, ticks) => ticks.map((tick) => rounded(tick)) });
  const rows = sides.flatMap((side, which) => side.map(({ confidence, accuracy, rows: number }) => [which ? "B" : "A", percent(confidence), percent(accuracy.value), amount(number)]));
  const table = nest("details", "numbers", make("summary", "", "Numbers"), tableOf("Confidence and share of right answers", ["Side", "Confidence", "Right", "Answers"], rows));
  return [
    chart("Share of right answers by confidence, of A and of B; the numbers are in the table below.", {
      x: axis("confidence"), y: axis("right"), data: x,
      lines: [
        { title: "calibrated", colour: "--edge", values: x, dash: [4, 4], width: 1 },
        { title: "A", colour: "--for-line", values: y(sides[0]), points: true },
        { title: "B", colour: "--against-line", values: y(sides[1]), points: true, dash: [7, 4] },
      ],
    }),
    table,
  ];
}

// ---------------------------------------------------------------------------------------------------- with labels

function withLabels(labelled) {
  const { confusion, slices } = labelled;
  const pair = [
    ...(confusion?.labels ? [card("confusion", "Confusion", ...drawMatrix(confusion))] : []),
    ...(labelled.reliability ? [card("reliability", "Calibration", ...reliability(labelled))] : []),
  ];
  const wide = confusion?.labels?.length > 4; // beside each other, a larger matrix would scroll
  return [...(pair.length && !wide ? [nest("div", "pair-of-cards", ...pair)] : pair), card("slices", "Slices", ...sliced(slices, labelled.test.score))];
}

function sliced(slices, score) {
  if (!slices.length) return [make("p", "soft", "No slice has 20 rows.")];
  const rows = [...slices].sort((one, other) => one.difference.value - other.difference.value).map(({ name, rows: number, first, second, difference }) => [
    name, amount(number), shown(score, first), shown(score, second), nest("span", difference.high < 0 ? "worse" : difference.low > 0 ? "better" : "", `${SHARES.test(score) ? `${points(difference.value)} (${points(difference.low)} to ${points(difference.high)})` : within(score, difference)}`),
  ]);
  return [
    tableOf("Slices, the worst for B first", ["Slice", "Rows", "A", "B", "B against A"], rows),
    make("p", "note", `By ${score}, of slices with at least 20 rows. One of twenty differs by chance; the gate\u2019s check above allows for that.`),
  ];
}

function changes({ changes: all }) {
  if (!all.length) return [make("p", "soft", "None: no label changes.")];
  return [tableOf("Most frequent changes", ["A", "B", "Rows"], all.map(({ first, second, rows }) => [first, second, amount(rows)]))];
}
