// Phrases: words that do more or less together than alone, each with the words that it consists of.

import { make, nest } from "./elements.js";
import { signed } from "./shares.js";

// found: the server's answer. Elements, and what a screen reader says of them.
export function drawPhrases({ phrases, unit, label }) {
  if (!phrases.length) {
    const nothing = "No words were found that do more or less together than alone.";
    return { elements: [make("p", "", nothing)], spoken: nothing };
  }
  const what = unit === "number" ? label : `for ${label}`;
  return {
    elements: [
      table(phrases, unit),
      make("p", "note", `Together is what the answer ${what} loses without all of these words, alone what it loses without that word only. Of words that act independently, alone adds up to together. Each is the difference of two answers: nothing is sampled.`),
    ],
    spoken: `Words that act together: ${phrases.map(({ text }) => text).join(", ")}.`,
  };
}

function table(phrases, unit) {
  const heads = ["Words", `Together, ${unit.replace("-", "\u2011")}`, "Each alone"];
  const head = nest("tr", "", ...heads.map((words) => Object.assign(make("th", "", words), { scope: "col" })));
  const rows = phrases.map(({ text, words, share }) => {
    const alone = words.map((word) => make("span", "alone", `${word.text}\u00a0${signed(word.alone, unit)}`));
    return nest("tr", "", Object.assign(make("th", "", text), { scope: "row" }), make("td", "", signed(share, unit)), nest("td", "", ...alone));
  });
  const caption = make("caption", "visually-hidden", "Words that act together, the largest difference from their shares alone first");
  return nest("div", "figures", nest("table", "", caption, nest("thead", "", head), nest("tbody", "", ...rows)));
}
