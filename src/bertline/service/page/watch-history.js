// Watch: the model over time, as lines, with all numbers in a table. Read from what the server keeps of its answers.

import { get } from "./api.js";
import { chart } from "./charts.js";
import { field, make, nest, select } from "./elements.js";
import { keepFocus } from "./focus.js";
import { refused } from "./refusal.js";
import { amount, count, percent, rounded } from "./words.js";

const EVERY_MS = 60_000;
const SPANS = [["1", "24 hours"], ["7", "7 days"], ["30", "30 days"], ["90", "90 days"]];
const DAY_S = 86_400;
const P_TICKS = [1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001];
const EDGE = 0.015; // of the time axis
const P_LEAST = 0.001;
// Of versions, the most frequent first; each differs in more than colour.
const STROKES = [["--for-line"], ["--against-line", [8, 4]], ["--accent", [2, 3]], ["--soft", [12, 4, 2, 4]]];

let days = "7"; // stays while the page is open

// Fills a card, and again every minute. Returns what ends that.
export function keepHistory(card, model) {
  const content = make("div", "content");
  let timer = null;
  let known = null;
  let asked = null;
  let chosen = false; // a span, whose numbers are still to be said
  const spoken = make("p", "visually-hidden");
  spoken.setAttribute("role", "status");
  const ended = new AbortController();
  const look = async () => {
    clearTimeout(timer);
    const mine = (asked = {});
    let draw, now, words;
    try {
      const found = await get(`/v1/models/${encodeURIComponent(model.name)}/history`, { days }, ended.signal);
      now = JSON.stringify(found);
      draw = () => drawn(found);
      words = `Last ${SPANS.find(([value]) => value === span.value)[1]}: ${summary(found)}`;
    } catch (refusal) {
      if (refusal.name === "AbortError") return;
      now = refusal.message;
      words = refusal.code === "not_found" ? refusal.message : null; // any other is an alert
      draw = () => (refusal.code === "not_found" ? [make("p", "soft", refusal.message)] : [refused(refusal, look)]);
    }
    if (mine !== asked || ended.signal.aborted) return;
    if (now !== known) replace(content, draw(), span);
    known = now;
    content.removeAttribute("aria-busy");
    if (chosen && words) {
      spoken.textContent = words;
      chosen = false;
    }
    timer = setTimeout(look, EVERY_MS);
  };
  const span = select(SPANS, () => {
    days = span.value;
    chosen = true;
    spoken.textContent = "";
    content.setAttribute("aria-busy", "true");
    look();
  });
  span.value = days;
  card.querySelector(".content").replaceWith(nest("div", "", field("choice", "Time", "watch-span", span), content, spoken));
  content.append(make("p", "soft", "Looking…"));
  look();
  return () => {
    ended.abort();
    clearTimeout(timer);
  };
}

// A table that is open stays open, and so does its focus; that of what is gone goes to the choice of time above.
function replace(content, elements, above) {
  const within = () => [...content.querySelectorAll("summary, .scroll")];
  const open = [...content.querySelectorAll("details")].map((one) => one.open);
  const focused = within().indexOf(document.activeElement);
  keepFocus(() => {
    content.replaceChildren(...elements);
    content.querySelectorAll("details").forEach((one, place) => { one.open = Boolean(open[place]); });
  }, () => within()[focused] ?? above);
}

// ---------------------------------------------------------------------------------------------------- times

const stamp = (options) => new Intl.DateTimeFormat("en-GB", options);
const DAY = stamp({ day: "numeric", month: "short" });
const CLOCK = stamp({ hour: "2-digit", minute: "2-digit" });
const BOTH = stamp({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const seconds = ({ at }) => Date.parse(at) / 1000;
const UTC_DAY = stamp({ day: "numeric", month: "short", timeZone: "UTC" }); // when steps of whole days begin
const midnight = (at_s) => new Date(1000 * at_s).getHours() === 0 && new Date(1000 * at_s).getMinutes() === 0;

// The same for all charts; a drift check may be later than the beginning of the last step.
function timeAxis({ steps, step_s, checks }) {
  const [first, last] = [seconds(steps[0]), Math.max(...[...steps.slice(-1), ...checks.slice(-1)].map(seconds))];
  const edge = EDGE * (last - first); // so that no point is cut in half
  return {
    time: true,
    utc: step_s >= DAY_S,
    space: 70,
    range: [first - edge, last + edge],
    values: (_, ticks) => ticks.map((at_s) => (step_s >= DAY_S ? UTC_DAY : midnight(at_s) ? DAY : CLOCK).format(1000 * at_s)),
  };
}
const named = (step_s) => (step_s < DAY_S ? BOTH : UTC_DAY);
const length = (step_s) => ({ 3600: "an hour", 21600: "six hours", 86400: "a day", 259200: "three days" })[step_s] ?? "a week";

// ---------------------------------------------------------------------------------------------------- charts

const shares = (low = 0) => ({ range: [low, 1], values: (_, ticks) => ticks.map((tick) => rounded(tick)) });

const EMPTY = "No text was answered and kept in this time.";
const totalOf = ({ steps }) => steps.reduce((sum, { texts }) => sum + texts, 0);

function summary(found) {
  const [total, checks] = [totalOf(found), found.checks.length];
  return total || checks ? `${count(total, "text")}, ${count(checks, "drift check")}.` : EMPTY;
}

function note(step_s) {
  const whole = step_s >= DAY_S;
  return `Each point is ${length(step_s)}${whole ? " from 00:00 UTC" : ""}; the last one is not over. Times${whole ? " of drift checks" : ""} are those of this browser.`;
}

function drawn(found) {
  const { step_s, checks } = found;
  const total = totalOf(found);
  if (!total && !checks.length) return [make("p", "soft", EMPTY)];
  return [
    nest("div", "over-time", ...[accuracy(found), confidence(found), versions(found), drift(found)].map(([title, ...parts]) => nest("div", "line-of", make("h3", "", title), ...parts))),
    numbers(found, total),
    ...(checks.length ? [checked(checks)] : []),
    make("p", "note", note(step_s)),
  ];
}

// "from 91.0 % to 84.2 %", of the values that there are.
function course(values, words = percent) {
  const some = values.filter((value) => value !== null);
  return some.length > 1 ? `from ${words(some[0])} to ${words(some.at(-1))}` : words(some[0]);
}

const lowest = (values) => Math.max(0, Math.floor(10 * Math.min(...values.filter((value) => value !== null)) - 0.001) / 10);

function accuracy(found) {
  const { steps } = found;
  const of = (name) => steps.map(({ accuracy: one }) => one?.[name] ?? null);
  const values = of("value");
  if (values.every((value) => value === null)) return ["Accuracy by feedback", make("p", "soft", "No feedback on answers of this time.")];
  return ["Accuracy by feedback", chart(`Accuracy by feedback over time, ${course(values)}; the numbers are in the table below.`, {
    x: timeAxis(found), y: shares(lowest(of("low"))), data: steps.map(seconds),
    lines: [
      { title: "all versions", colour: "--for-line", values, points: true },
      { title: "95\u202f% interval", colour: "--edge", values: of("low"), dash: [3, 3], width: 1 },
      { colour: "--edge", values: of("high"), dash: [3, 3], width: 1 },
    ],
  })];
}

function confidence(found) {
  const { steps } = found;
  const values = steps.map(({ confidence: one }) => one);
  if (values.every((value) => value === null)) return ["Confidence", make("p", "soft", "The answers of this time have no probabilities.")];
  return ["Confidence", chart(`Mean confidence over time, ${course(values)}; the numbers are in the table below.`, {
    x: timeAxis(found), y: shares(), data: steps.map(seconds),
    lines: [{ title: "mean probability of what was answered", colour: "--for-line", values, points: true }],
  })];
}

// Versions of the span, the most frequent first.
function ranked(steps) {
  const sums = new Map();
  for (const { versions: own } of steps) for (const [id, number] of Object.entries(own)) sums.set(id, (sums.get(id) ?? 0) + number);
  return [...sums].sort((one, other) => other[1] - one[1]).map(([id]) => id);
}

function versions(found) {
  const { steps } = found;
  const ids = ranked(steps);
  if (!ids.length) return ["Versions", make("p", "soft", "No text was answered.")];
  const axes = { x: timeAxis(found), data: steps.map(seconds) };
  if (ids.length === 1) {
    const most = Math.max(...steps.map(({ texts }) => texts));
    return ["Texts", chart(`Texts over time, at most ${amount(most)} at a point, all answered by version ${ids[0]}; the numbers are in the table below.`, {
      ...axes, y: { range: (_, __, top) => [0, Math.max(1, top * 1.05)], values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? amount(tick) : "")) },
      lines: [{ title: `version ${ids[0]}`, colour: "--bar", values: steps.map(({ texts }) => texts), bars: true }],
    })];
  }
  const shown = ids.slice(0, STROKES.length);
  const share = (id) => steps.map(({ texts, versions: own }) => (texts ? (own[id] ?? 0) / texts : null));
  const words = shown.map((id) => `${id} ${course(share(id))}`).join("; ");
  return ["Share of versions", chart(`Share of the texts that each version answered, over time: ${words}. The numbers are in the table below.`, {
    ...axes, y: shares(),
    lines: shown.map((id, place) => ({ title: id, colour: STROKES[place][0], dash: STROKES[place][1], values: share(id), points: true })),
  }), ...(ids.length > shown.length ? [make("p", "note", `${count(ids.length - shown.length, "rarer version")} only in the table.`)] : [])];
}

// The levels at which drift was found or not, in words; null if no check was kept with its own.
function levelWords(checks) {
  const levels = checks.map(({ level }) => level).filter((level) => level !== null);
  if (!levels.length) return null;
  const [least, most] = [Math.min(...levels), Math.max(...levels)];
  return least === most ? `${least}, the level of the checks` : `level of each check, ${least} to ${most}`;
}

const shownP = (p) => (p < P_LEAST ? `< ${P_LEAST}` : p < 0.1 ? p.toFixed(3) : p.toFixed(2));

function drift(history) {
  const { checks } = history;
  const some = checks.filter(({ p_value: p }) => p !== null);
  if (!some.length) return ["Drift", make("p", "soft", "No check for drift in this time: bertline drift with --predictions-url makes one.")];
  const logged = (p) => Math.log10(Math.max(P_LEAST, p));
  const within = (wanted) => some.map(({ found, p_value: p }) => ((found !== "none") === wanted ? logged(p) : null));
  const all = some.map(({ p_value: p }) => logged(p));
  const found = some.filter((one) => one.found !== "none").length;
  const level = levelWords(some);
  return ["Drift", chart(`Smallest p-value of ${count(some.length, "check")} for drift over time, ${course(some.map(({ p_value: p }) => p), shownP)}; ${found ? `${count(found, "check")} found drift` : "none found drift"}. ${level ? `The dashed line is ${level}. ` : ""}The numbers are in the table below.`, {
    x: timeAxis(history), y: { range: [logged(P_LEAST), 0.05], splits: () => P_TICKS.map(logged), values: () => P_TICKS.map(String) },
    data: some.map(seconds),
    lines: [
      { title: "smallest p of a check", colour: "--for-line", values: all, points: true },
      ...(level ? [{ title: level, colour: "--edge", values: some.map(({ level: own }) => (own === null ? null : logged(own))), dash: [4, 4], width: 1 }] : []),
      ...(found ? [{ title: "found", colour: "--against-line", values: within(true), points: true, width: 0 }] : []),
    ],
  })];
}

// ---------------------------------------------------------------------------------------------------- tables

function table(caption, head, rows) {
  const body = rows.map(([first, ...others]) => nest("tr", "", Object.assign(make("th", "", first), { scope: "row" }), ...others.map((words) => make("td", "", words))));
  const top = nest("tr", "", ...head.map((words) => Object.assign(make("th", "", words), { scope: "col" })));
  const box = nest("div", "scroll figures", nest("table", "", make("caption", "visually-hidden", caption), nest("thead", "", top), nest("tbody", "", ...body)));
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", `Table: ${caption}`);
  return box;
}

function numbers({ steps, step_s }, total) {
  const ids = ranked(steps);
  const rows = steps.filter(({ texts }) => texts).map((one) => [
    named(step_s).format(new Date(one.at)),
    amount(one.texts),
    one.accuracy ? `${percent(one.accuracy.value)} (${percent(one.accuracy.low)} to ${percent(one.accuracy.high)}), ${amount(one.judged)} answers` : "no feedback",
    one.confidence === null ? "none" : percent(one.confidence),
    ids.filter((id) => one.versions[id]).map((id) => `${id} ${percent(one.versions[id] / one.texts)}`).join(", "),
  ]);
  return nest("details", "numbers", make("summary", "", `Numbers of ${count(total, "text")}`), table("The model over time", ["From", "Texts", "Accuracy, 95\u202f% interval", "Confidence", "Versions"], rows));
}

function checked(checks) {
  const rows = checks.map(({ at, texts, found, p_value: p, level, estimated_accuracy: estimate }) => [
    BOTH.format(new Date(at)), amount(texts), found === "none" ? "nothing" : `other ${found}`, p === null ? "none" : shownP(p), level ?? "unknown", estimate === null ? "none" : percent(estimate),
  ]);
  return nest("details", "numbers", make("summary", "", `Numbers of ${count(checks.length, "drift check")}`), table("Checks for drift", ["Time", "Texts", "Found", "Smallest p", "Level", "Estimated accuracy"], rows));
}
