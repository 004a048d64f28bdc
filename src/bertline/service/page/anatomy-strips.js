// Vectors as strips of coloured cells, matrices as maps, and rows of tokens with a number each. Blue is above zero, orange below
// it: the numbers themselves are one click away, so colour is never the only sign.

import { make, nest } from "./elements.js";
import { amount, rounded } from "./words.js";

const MINUS = "\u2212";
const drawn = new Set(); // canvases, drawn again when light turns to dark

export const figure = (value, digits = 2) => value.toFixed(digits).replace("-", MINUS);
export const share = (value) => rounded(value, 1);

export function forget() {
  drawn.clear();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const draw of drawn) draw();
});

// cells: rows of numbers; each colour is as strong as its number, compared with the largest.
function canvas(rows, className) {
  const one = make("canvas", className);
  [one.width, one.height] = [rows[0].length, rows.length];
  const most = Math.max(...rows.map((row) => Math.max(...row.map(Math.abs)))) || 1;
  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    const [above, below] = ["--for-line", "--against-line"].map((name) => style.getPropertyValue(name).trim());
    const context = one.getContext("2d");
    context.clearRect(0, 0, one.width, one.height);
    for (const [y, row] of rows.entries()) {
      for (const [x, value] of row.entries()) {
        context.globalAlpha = Math.abs(value) / most;
        context.fillStyle = value < 0 ? below : above;
        context.fillRect(x, y, 1, 1);
      }
    }
  };
  draw();
  drawn.add(draw);
  return one;
}

// A labelled vector: its strip, its range, and all numbers on demand.
export function strip(name, values, chosen = false) {
  const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => figure(value));
  const picture = canvas([values], "strip");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `${name}: ${amount(values.length)} numbers from ${least} to ${most}`);
  const range = nest("span", "range", make("span", "how-many", `${amount(values.length)} numbers, `), `${least} to ${most}`);
  const numbers = make("code", "", values.map((value) => figure(value, 3)).join("  "));
  numbers.tabIndex = 0; // the arrow keys scroll it
  const head = nest("summary", "", make("span", "name", name), " ", range);
  return nest("div", chosen ? "vector chosen" : "vector", picture, nest("details", "numbers", head, numbers));
}

// All weights of one head, a row for each token; for the eye alone.
export function map(weights) {
  const one = canvas(weights, "map");
  one.setAttribute("aria-hidden", "true");
  return one;
}

// Tokens with a number below each, coloured by it.
export function row(label, tokens, values, written = figure) {
  const most = Math.max(...values.map(Math.abs)) || 1;
  const list = make("ol", "row");
  list.setAttribute("aria-label", label);
  for (const [place, { text }] of tokens.entries()) {
    const cell = nest("li", values[place] < 0 ? "cell below" : "cell", make("span", "piece", text), " ", make("span", "value", written(values[place])));
    cell.style.setProperty("--strength", (Math.abs(values[place]) / most).toFixed(3));
    list.append(cell);
  }
  return list;
}

// Buttons of which one is reached by Tab and the others by the arrow keys. across: how many are in a line.
export function roving(buttons, across = buttons.length) {
  const reach = (one) => { for (const other of buttons) other.tabIndex = other === one ? 0 : -1; };
  reach(buttons.find((one) => one.getAttribute("aria-pressed") === "true") ?? buttons[0]);
  for (const [place, one] of buttons.entries()) {
    one.addEventListener("focus", () => reach(one));
    one.addEventListener("keydown", (event) => {
      const line = across === buttons.length ? 1 : across;
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, ArrowDown: place + line, ArrowUp: place - line, Home: 0, End: buttons.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      buttons[(to + buttons.length) % buttons.length].focus();
    });
  }
}
