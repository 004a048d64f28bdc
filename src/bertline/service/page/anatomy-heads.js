// All heads at a glance, and one in full: attention from and to a token, by pointer and by keyboard.

import { button, field, make, nest, select } from "./elements.js";
import { map, roving, share } from "./anatomy-strips.js";

// move: called with what is to be shown instead: { layer, head }, or { token } to follow.
export function glance({ attentions, layer, head, tokens }, move) {
  const buttons = attentions.flatMap((heads, one) => heads.map((weights, other) => {
    const pick = button("tile", "", () => move({ layer: one, head: other }));
    pick.dataset.place = `head ${one} ${other}`;
    pick.append(map(weights));
    pick.setAttribute("aria-label", `Layer ${one + 1}, head ${other + 1}, ${habit(weights, tokens)}`);
    pick.title = `Layer ${one + 1}, head ${other + 1}`;
    pick.setAttribute("aria-pressed", String(one === layer && other === head));
    return pick;
  }));
  const across = attentions[0].length;
  roving(buttons, across);
  const grid = make("div", "tiles");
  grid.setAttribute("role", "group");
  grid.setAttribute("aria-label", "All heads: a row for each layer");
  grid.style.setProperty("--heads", across);
  for (let at = 0; at < buttons.length; at += across) {
    grid.append(make("span", "layer", String(at / across + 1)), ...buttons.slice(at, at + across));
  }
  return grid;
}

// What is mixed most, on average over the tokens that look.
function habit(weights, tokens) {
  const means = tokens.map((_, to) => weights.reduce((sum, from) => sum + from[to], 0) / tokens.length);
  const most = means.indexOf(Math.max(...means));
  return `most of it on ${tokens[most].text}, ${share(means[most])}`;
}

export function inFull({ attentions, layer, head, token, tokens }, move) {
  const weights = attentions[layer][head];
  const readout = make("p", "readout");
  let direction = "from";
  let looked = token;
  const words = tokens.map(({ text }, place) => {
    const one = button("token", "", () => move({ token: place }));
    one.append(make("span", "piece", text), " ", make("span", "value", ""));
    one.dataset.place = `token ${place}`;
    one.setAttribute("aria-pressed", String(place === token));
    for (const event of ["pointerenter", "focus"]) one.addEventListener(event, () => tell(place));
    return one;
  });
  function tell(place) {
    looked = place;
    const values = tokens.map((_, other) => (direction === "from" ? weights[place][other] : weights[other][place]));
    const most = Math.max(...values);
    for (const [other, one] of words.entries()) {
      one.style.setProperty("--strength", (values[other] / most).toFixed(3));
      one.lastElementChild.textContent = share(values[other]);
      one.classList.toggle("looked", other === place);
    }
    readout.textContent = said(tokens, values, place, direction);
  }
  const sides = [["from", "From the token"], ["to", "To the token"]].map(([name, label]) => {
    const radio = Object.assign(make("input", ""), { type: "radio", name: "anatomy-direction", value: name, checked: name === "from" });
    radio.addEventListener("change", () => {
      direction = name;
      tell(looked);
    });
    return nest("label", "", radio, make("span", "", label));
  });
  const group = nest("div", "tokens", ...words);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", `Tokens with their attention in layer ${layer + 1}, head ${head + 1}`);
  roving(words);
  tell(token);
  return [
    nest("div", "choices", choice("Layer", "layer", attentions.length, layer, move), choice("Head", "head", attentions[0].length, head, move)),
    nest("fieldset", "modes", make("legend", "visually-hidden", "Direction"), ...sides),
    group,
    readout,
    nest("details", "numbers", make("summary", "", "All weights of this head"), scrolled(table(weights, tokens))),
  ];
}

function choice(label, name, size, chosen, move) {
  const one = select(Array.from({ length: size }, (_, number) => [String(number), String(number + 1)]), () => move({ [name]: Number(one.value) }));
  one.value = String(chosen);
  one.dataset.place = name;
  return field("choice", label, `anatomy-${name}`, one);
}

// The Tab key reaches what scrolls, so that the arrow keys can scroll it.
function scrolled(content) {
  const box = Object.assign(nest("div", "scroll", content), { tabIndex: 0 });
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "All weights of this head");
  return box;
}

function said(tokens, values, place, direction) {
  const most = values.indexOf(Math.max(...values));
  const name = `“${tokens[place].text}”`;
  const other = `“${tokens[most].text}”`;
  return direction === "from"
    ? `${name} takes most from ${other}: ${share(values[most])}. Its weights sum to 100\u202f%.`
    : `${other} takes most from ${name}: ${share(values[most])}. These are weights of different tokens, so they need not sum to 100\u202f%.`;
}

function table(weights, tokens) {
  const heads = tokens.map(({ text }) => Object.assign(make("th", "", text), { scope: "col" }));
  const rows = weights.map((line, from) => nest("tr", "", Object.assign(make("th", "", tokens[from].text), { scope: "row" }), ...line.map((one) => make("td", "", share(one)))));
  const caption = make("caption", "visually-hidden", "Attention weights: a row for each token that mixes, a column for each that is mixed in");
  return nest("table", "", caption, nest("thead", "", nest("tr", "", make("td", ""), ...heads)), nest("tbody", "", ...rows));
}
