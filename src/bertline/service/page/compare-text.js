// The answers of two versions to one text, beside each other.

import { make, nest } from "./elements.js";
import { kindOf } from "./kinds.js";
import { milliseconds, percent } from "./words.js";

// found: of the server. sides: the two versions, with the description of their models.
export function drawText({ first, second, agree, shift }, sides, text) {
  const headline = agree === null ? "Nothing to agree on" : agree ? "They agree" : "They differ";
  const apart = agree === null && !shift ? "" : `scores ${percent(shift)} apart`;
  return {
    elements: [
      nest("p", "verdict", make("span", "", headline), " ", make("span", "share", apart)),
      nest("div", "both", side("A", first, sides[0], text), side("B", second, sides[1], text)),
      times(first, second),
      make("p", "note", agree === null ? "Whether the two agree needs a table with several texts." : "A time is the median of five, both in turn: tokenising and inference, without waiting."),
    ],
    spoken: `${headline}. A: ${kindOf(first.prediction).spoken(first.prediction)}. B: ${kindOf(second.prediction).spoken(second.prediction)}.`,
  };
}

function side(letter, { model, version, engine, prediction, took_ms }, { described }, text) {
  const kind = kindOf(prediction);
  const [words, figure] = "embedding" in prediction ? ["Embedded", ""] : kind.verdict(prediction);
  const title = nest("h3", "", make("span", `letter letter-${letter.toLowerCase()}`, letter), ` ${model} `, make("code", "", version), engine ? ` ${engine}` : "");
  const drawing = "embedding" in prediction || !described ? [] : kind.draw(prediction, text, described);
  return nest("section", "one-side", title, nest("p", "said", make("strong", "", words), " ", make("span", "share", figure)), ...drawing, make("p", "took", milliseconds(took_ms)));
}

function times(first, second) {
  const ratio = second.took_ms / first.took_ms;
  return make("p", "soft", `B takes ${ratio.toFixed(2)} times as long as A.`);
}
