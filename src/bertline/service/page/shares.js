// Shares of words: the text in colours, figures of one word on demand, figures of all in a table, and how far to trust them.
// Blue with a solid line speaks for the label, orange with a dotted line against it: colour is never the only sign.

import { button, make, nest } from "./elements.js";
import { keepFocus } from "./focus.js";
import { amount, count, milliseconds, percent } from "./words.js";

const TOP = 8; // words of the table before it is opened
const FAINT = 0.12; // of the largest share: a word below it has no colour
const SOLID_FALL = 0.1; // of the probability: less when the words that speak most for it go says that they matter little
const MINUS = "\u2212";

const figure = (value) => new Intl.NumberFormat("en", { maximumSignificantDigits: 4 }).format(value).replace("-", MINUS);
// Log-odds are of one size whatever the model; a number may be a price or a part of a thousandth.
const sized = (value, unit) => (unit === "number" ? figure(value) : value.toFixed(2));
export const signed = (value, unit) => `${value < 0 ? MINUS : "+"}${sized(Math.abs(value), unit)}`;
const logistic = (value) => 1 / (1 + Math.exp(-value));
const points = (share) => `${(100 * share).toFixed(1)} points`;

// found: the server's answer. texts: of the request. span: the characters of the first text that are explained, if not all of
// it. Elements, and what a screen reader says of them.
export function drawShares(found, texts, span) {
  const strongest = [...found.words].sort((one, other) => Math.abs(other.share) - Math.abs(one.share));
  const name = named(found, span && [...texts[0]].slice(span.start, span.end).join(""));
  const readout = make("p", "readout");
  return {
    elements: [
      nest("p", "verdict", make("span", "", name), " ", make("span", "share", shown(found, found.shown))),
      ...(found.cut_tokens ? [make("p", "cut", `The text is longer than the model can read: ${count(found.cut_tokens, "token")} cut. The words there have no share.`)] : []),
      ...coloured(found, texts, Math.abs(strongest[0].share), readout),
      readout,
      legend(name),
      table(found, strongest),
      ...sums(found),
      ...trust(found),
      make("p", "note", origin(found)),
    ],
    spoken: `${name}, ${shown(found, found.shown)}. Strongest words: ${strongest.slice(0, 3).map((word) => `${word.text} ${signed(word.share, found.unit)}`).join(", ")}.`,
  };
}

const named = ({ label }, entity) => (entity ? `${entity}: ${label}` : label);
const shown = ({ unit }, value) => (unit === "number" ? figure(value) : percent(value));
const error = (word, unit) => (word.error === null ? "" : ` ±\u00a0${sized(word.error, unit)}`);

// ---------------------------------------------------------------------------------------------------- the text

// The paragraph of each text. One word is reached by Tab, the others by the arrow keys.
function coloured({ words, label, unit }, texts, largest, readout) {
  const buttons = [];
  const tell = (word) => {
    const side = word.share > 0 ? `for ${label}` : word.share < 0 ? `against ${label}` : "neither for nor against";
    readout.replaceChildren(make("strong", "", word.text), ` ${signed(word.share, unit)}${error(word, unit)} `, make("span", "side", side));
  };
  const paragraphs = texts.flatMap((text, side) => {
    const own = words.filter((word) => word.side === side);
    return own.length ? [paragraph(text, own, (word) => {
      const one = wordButton(word, largest, { label, unit });
      one.tabIndex = buttons.length ? -1 : 0;
      one.addEventListener("pointerenter", () => tell(word));
      one.addEventListener("focus", () => tell(word));
      buttons.push(one);
      return one;
    })] : [];
  });
  const walk = (event) => {
    const place = buttons.indexOf(event.target);
    const to = { ArrowRight: place + 1, ArrowDown: place + 1, ArrowLeft: place - 1, ArrowUp: place - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined || place < 0) return;
    event.preventDefault();
    const next = buttons.at(to % buttons.length);
    for (const one of buttons) one.tabIndex = one === next ? 0 : -1;
    next.focus();
  };
  for (const one of paragraphs) one.addEventListener("keydown", walk);
  tell([...words].sort((one, other) => Math.abs(other.share) - Math.abs(one.share))[0]);
  return paragraphs;
}

// Offsets count code points; JavaScript strings consist of UTF-16 units.
function paragraph(text, words, wordOf) {
  const characters = [...text];
  const one = make("p", "shares");
  one.setAttribute("role", "group");
  one.setAttribute("aria-label", "The words with their shares");
  let end = 0;
  for (const word of words) {
    one.append(characters.slice(end, word.start).join(""), wordOf(word));
    end = word.end;
  }
  one.append(characters.slice(end).join(""));
  return one;
}

function wordButton(word, largest, { label, unit }) {
  const strength = largest ? Math.abs(word.share) / largest : 0;
  const one = button(strength < FAINT ? "word" : `word ${word.share > 0 ? "for" : "against"}`, word.text, () => {});
  one.style.setProperty("--strength", strength.toFixed(3));
  one.setAttribute("aria-label", `${word.text}: ${signed(word.share, unit)} ${word.share < 0 ? "against" : "for"} ${label}`);
  return one;
}

function legend(name) {
  return nest("p", "legend", make("span", "word for", `for ${name}`), " ", make("span", "word against", `against ${name}`), " the stronger the colour, the larger the share");
}

// ---------------------------------------------------------------------------------------------------- the figures

function table({ unit }, strongest) {
  const sampled = strongest.some((word) => word.error !== null);
  const whole = unit.replace("-", "\u2011"); // log-odds stay in one line
  const heads = ["Word", sampled ? `Share ± standard error, ${whole}` : `Share, ${whole}`];
  const head = nest("tr", "", ...heads.map((words) => Object.assign(make("th", "", words), { scope: "col" })));
  const rows = strongest.map((word, place) => {
    const share = make("td", "", `${signed(word.share, unit)}${error(word, unit)}`);
    const row = nest("tr", "", Object.assign(make("th", "", word.text), { scope: "row" }), share);
    row.hidden = place >= TOP;
    return row;
  });
  const caption = make("caption", "visually-hidden", "Shares of the words, the largest first");
  const box = nest("div", "figures", nest("table", "", caption, nest("thead", "", head), nest("tbody", "", ...rows)));
  if (rows.length > TOP) {
    const more = button("quiet", `Show all ${count(rows.length, "word")}`, () => {
      for (const row of rows) row.hidden = false;
      keepFocus(() => more.remove(), () => rows[TOP].firstElementChild);
    });
    box.append(more);
  }
  return box;
}

function sums({ method, base, value, unit }) {
  if (method === "leave-one-out") return [make("p", "note", "Each word was left out alone, so the shares do not add up to the answer.")];
  const both = (number) => (unit === "number" ? figure(number) : `${signed(number, unit)} (${percent(logistic(number))})`);
  const entry = (words, content) => nest("div", "", make("dt", "", words), make("dd", "", content));
  return [nest("dl", "measures", entry("Without any word", both(base)), entry("All shares", signed(value - base, unit)), entry("Together", both(value)))];
}

function trust({ faithfulness, unit, label, shown: whole }) {
  if (!faithfulness) return [];
  const { comprehensiveness, sufficiency } = faithfulness;
  const number = unit === "number";
  const change = (fall) => `${fall < 0 ? "rises" : "falls"} by ${number ? figure(Math.abs(fall)) : points(Math.abs(fall))}`;
  const rests = comprehensiveness > sufficiency && (number || comprehensiveness >= SOLID_FALL);
  const improbable = !number && whole < SOLID_FALL; // another label than the answer: it has no probability to lose
  const verdict = rests ? "The answer rests on the words that speak most for it"
    : improbable ? `${label} is improbable here, so its probability can hardly fall, and this says little`
    : "The answer does not rest on a few words, so read the shares with care";
  const what = number ? "number" : "probability";
  const words = `${verdict}: without ${rests ? "them" : "the words that speak most for it"} the ${what} ${change(comprehensiveness)} on average; with only them it ${change(sufficiency)}.`;
  return [nest("p", rests ? "faithful" : "faithful doubtful", make("strong", "", "Faithfulness "), words)];
}

function origin({ answers, orders, removal, took_ms }) {
  const removed = removal === "mask" ? "[MASK] in place of missing words" : "missing words deleted";
  const sampled = orders ? `, ${count(orders, "sampled order")} of the words` : "";
  return `${amount(answers)} answers of the model${sampled}, ${removed}, ${milliseconds(took_ms.total)}. A share says what the answer gains or loses by the word; it is not a cause in the world.`;
}
