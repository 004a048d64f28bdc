// Bars of labels: compact if there are many, with the rest behind a button.

import { button, make } from "./elements.js";
import { keepFocus } from "./focus.js";
import { count, percent } from "./words.js";

const FOLD_AFTER = 24;
const MANY = 8; // with as many labels, each takes one line

// rows: { label, share, best, value, least, choose }; value is the text at the end of the line (default: the share in percent),
// least the threshold, choose what choosing the line does, if one of them can be chosen.
export function drawBars(list, rows, more) {
  const lines = rows.map(({ label, share, best, value = percent(share), least, choose }, place) => {
    const line = make("li", best ? "best" : "");
    const fill = make("span", "fill");
    fill.style.setProperty("--share", share);
    const track = make("span", "track");
    track.append(fill);
    if (least !== undefined) track.append(threshold(least));
    line.append(choose ? choice(label, best, choose) : make("span", "label", label), make("span", "value", value), track);
    line.hidden = place >= FOLD_AFTER;
    return line;
  });
  list.classList.toggle("many", lines.length >= MANY);
  list.replaceChildren(...lines);
  if (!more) return;
  more.hidden = lines.length <= FOLD_AFTER;
  more.textContent = `Show all ${count(lines.length, "label")}`;
  more.onclick = () => {
    for (const line of lines) line.hidden = false;
    keepFocus(() => { more.hidden = true; }, () => lines[FOLD_AFTER]);
    lines[FOLD_AFTER].scrollIntoView({ block: "nearest" });
  };
}

// The label of a line that can be chosen among those of its list.
function choice(label, best, choose) {
  const one = button("label choose", label, () => {
    for (const other of one.closest("ol").querySelectorAll(".choose")) {
      other.setAttribute("aria-pressed", String(other === one));
      other.closest("li").classList.toggle("best", other === one);
    }
    choose();
  });
  one.setAttribute("aria-pressed", String(Boolean(best)));
  return one;
}

function threshold(least) {
  const line = make("span", "threshold");
  line.style.setProperty("--share", least);
  line.title = `Threshold: ${percent(least)}`;
  return line;
}

// A list and its button for the rest.
export function barsWithMore(rows) {
  const list = make("ol", "bars");
  const more = button("quiet", "", () => {});
  drawBars(list, rows, more);
  return [list, more];
}
