// Counter-evidence: the smallest change of words that turns the answer, the text before and after it, and what it took.

import { make, nest } from "./elements.js";
import { amount, count, percent } from "./words.js";

// found: the counter of the server's answer. filler: the model that proposed words, or "". Elements, and what a screen
// reader says of them.
export function drawCounter(found, filler) {
  if (!found.words.length) {
    const nothing = `No change was found that turns the answer (${found.label}): all changes of ${tried(found)} were tried.`;
    return { elements: [make("p", "", nothing), ...reason(found), cost(found)], spoken: nothing };
  }
  const said = nest("p", "turned", what(found), " the answer is ", make("strong", "", found.turned), ` (${percent(found.shown)}) instead of ${found.label}.`);
  return {
    elements: [
      said,
      nest("dl", "change", ...pair("Before", before(found)), ...pair("After", after(found))),
      ...(found.words.length > 1 ? [make("p", "note", ruledOut(found))] : []),
      ...fitting(found),
      ...reason(found),
      cost(found, filler),
    ],
    spoken: said.textContent,
  };
}

const pair = (words, paragraphs) => [make("dt", "", words), nest("dd", "", ...paragraphs)];

// “good” for “bad”, or without “bad”.
function what({ words, how }) {
  const each = words.map(({ text, replacement }) => (replacement === null ? `“${text}”` : `“${replacement}” for “${text}”`));
  return `${{ replace: "With", delete: "Without", mask: "With [MASK] for" }[how]} ${each.join(", ")}`;
}

function before({ before: texts, words }) {
  return texts.map((text, side) => {
    const own = words.filter((word) => word.side === side);
    return marked(text, own, (word) => make("del", "", word.text));
  });
}

// Words that are left out are not to be seen there; the server's text is.
function after({ before: texts, texts: changed, words, how }) {
  if (how !== "replace") return changed.map((text) => make("p", "", text || "(no text)"));
  return texts.map((text, side) => {
    const own = words.filter((word) => word.side === side);
    return marked(text, own, (word) => make("ins", "", word.replacement));
  });
}

// Offsets count code points; JavaScript strings consist of UTF-16 units.
function marked(text, words, markOf) {
  const characters = [...text];
  const one = make("p", "");
  let end = 0;
  for (const word of words) {
    one.append(characters.slice(end, word.start).join(""), markOf(word));
    end = word.end;
  }
  one.append(characters.slice(end).join(""));
  return one;
}

// Every change that was found, the one above first.
function fitting(found) {
  if (found.how !== "replace") return [];
  const row = ({ words, turned, shown }) => nest(
    "tr",
    "",
    Object.assign(make("th", "", words.map(({ text, replacement }) => `${replacement} for ${text}`).join(", ")), { scope: "row" }),
    make("td", "", words.map(({ probability }) => percent(probability)).join(", ")),
    make("td", "", `${turned} ${percent(shown)}`),
  );
  const head = nest("tr", "", ...["Change", "Fits", "Then"].map((words) => Object.assign(make("th", "", words), { scope: "col" })));
  const caption = make("caption", "visually-hidden", "Changes that turn it, those that fit best first");
  return [nest("div", "figures", nest("table", "", caption, nest("thead", "", head), nest("tbody", "", row(found), ...found.others.map(row))))];
}

const tried = ({ ruled_out: most }) => (most === 1 ? "one word" : `up to ${most} words`);

function ruledOut(found) {
  if (found.least) return "No fewer words do.";
  return found.ruled_out ? `Fewer may do: all changes of ${tried(found)} were tried.` : "Fewer may do.";
}

const reason = ({ why }) => (why ? [make("p", "note", why)] : []);

function cost({ how, answers, proposals }, filler) {
  const fits = how === "replace" ? `Fits is the probability that “${filler}” gives the word in its place. ` : "";
  const beside = proposals ? ` and ${count(proposals, "text")} with a hidden word` : "";
  return make("p", "note", `${fits}It took ${amount(answers)} answers of the model${beside}. It is what the model needs, not what a person would change.`);
}
