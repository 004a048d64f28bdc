// The answer to one or several typed texts. Its state is empty, waiting, done or error.

import { drawBars } from "./bars.js";
import { at, button, make } from "./elements.js";
import { keepFocus } from "./focus.js";
import { emptyBars, kindOf } from "./kinds.js";
import { go, hand, serves } from "./views.js";
import { amount, count, milliseconds } from "./words.js";

const SPOKEN_LABELS = 5;
const MOST_WHYS = 8; // entities

export function showNothing(model, prompt) {
  const bars = make("ol", "bars");
  drawBars(bars, prompt.several ? [] : emptyBars(model));
  at("bars").replaceChildren(bars);
  at("texts").replaceChildren();
  at("prompt").textContent = prompt.words;
  at("spoken").textContent = "";
  settle("empty");
}

// While waiting, the last answer stays; an error does not.
export function showWaiting(model, prompt) {
  const answer = at("answer");
  if (answer.dataset.state === "done") answer.dataset.state = "waiting";
  else if (answer.dataset.state !== "waiting") showNothing(model, prompt);
  answer.setAttribute("aria-busy", "true");
}

export function showAnswer(model, text, { predictions: [prediction], took_ms }) {
  const { read_tokens, cut_tokens } = prediction;
  const kind = kindOf(prediction);
  const [names, share] = kind.verdict(prediction);
  at("verdict").textContent = names;
  at("verdict-share").textContent = share;
  at("cut").textContent = cut_tokens
    ? `The text is longer than the model can read: ${count(read_tokens, "token")} read, ${amount(cut_tokens)} cut.`
    : "";
  at("bars").replaceChildren(...kind.draw(prediction, text, model), ...why(prediction, { text }));
  hand({ text });
  at("texts").replaceChildren();
  finish(model, [prediction], took_ms, kind.spoken(prediction));
}

export function showAnswers(model, lines, { predictions, took_ms }) {
  const cut = predictions.filter(({ cut_tokens }) => cut_tokens > 0).length;
  const words = tally(predictions);
  at("verdict").textContent = count(predictions.length, "text");
  at("verdict-share").textContent = "";
  at("cut").textContent = cut
    ? `${count(cut, "text")} of ${amount(predictions.length)} ${cut === 1 ? "is" : "are"} longer than the model can read.`
    : "";
  at("bars").replaceChildren();
  at("texts").replaceChildren(...predictions.map((prediction, place) => answeredText(lines[place], prediction, model)));
  finish(model, predictions, took_ms, `${count(predictions.length, "text")}: ${words}`);
}

export function showError(refusal) {
  at("error-title").textContent = refusal.title;
  at("error-message").textContent = refusal.message;
  at("retry").hidden = !refusal.again;
  at("spoken").textContent = "";
  settle("error");
  at("error").scrollIntoView({ block: "nearest", behavior: "instant" });
}

function tally(predictions) {
  const counts = new Map();
  for (const prediction of predictions) {
    for (const one of kindOf(prediction).names(prediction)) counts.set(one, (counts.get(one) ?? 0) + 1);
  }
  const most = [...counts].sort((one, other) => other[1] - one[1]).slice(0, SPOKEN_LABELS);
  return most.map(([label, times]) => `${amount(times)} ${label}`).join(", ") || "no label";
}

// An entry of the list of texts; its details are drawn when it is opened.
function answeredText({ text, subject }, prediction, model) {
  const { read_tokens, cut_tokens } = prediction;
  const kind = kindOf(prediction);
  const [names, share] = kind.verdict(prediction);
  const item = make("details", "");
  const head = make("summary", "");
  head.append(make("span", "excerpt", text), make("span", "label", names), make("span", "value", share));
  if (cut_tokens) head.append(make("span", "chip", "cut"));
  item.append(head);
  item.addEventListener("toggle", () => {
    if (item.childElementCount > 1) return;
    const read = make("p", "tokens", readings(read_tokens, cut_tokens, prediction.windows));
    item.append(...kind.draw(prediction, text, model), read, ...why(prediction, subject));
  });
  const line = make("li", "");
  line.append(item);
  return line;
}

// The ways from an answer to the words that it rests on: one, or one for each of the first entities.
function why({ entities }, subject) {
  if (!serves("explain")) return [];
  const way = (words, about) => button("quiet why", words, () => {
    hand({ ...about }); // another one each time, so that it is explained again
    go("explain");
  });
  if (!entities) return [way("Why?", subject)];
  return entities.slice(0, MOST_WHYS).map(({ text, label, start, end }) => way(`Why ${text}?`, { ...subject, label, span: { start, end } }));
}

function readings(read, cut, windows) {
  const where = windows ? ` in ${count(windows, "window")}` : "";
  return `${count(read, "token")}${where}, ${cut ? amount(cut) : "nothing"} cut`;
}

function finish(model, predictions, took_ms, spoken) {
  const sum = (key) => predictions.reduce((total, one) => total + one[key], 0);
  const windows = predictions.length === 1 ? predictions[0].windows : undefined;
  const read = readings(sum("read_tokens"), sum("cut_tokens"), windows);
  at("took").textContent = milliseconds(took_ms.total);
  for (const part of ["tokenise", "waiting", "inference"]) {
    at(`${part}-took`).textContent = took_ms[part] === undefined ? "unknown" : milliseconds(took_ms[part]);
  }
  const server_ms = (took_ms.tokenise ?? 0) + (took_ms.waiting ?? 0) + (took_ms.inference ?? 0);
  at("rest-took").textContent = milliseconds(Math.max(0, took_ms.total - server_ms));
  at("read").textContent = read;
  at("note").textContent = kindOf(predictions[0]).note(model);
  settle("done");
  // On a narrow screen the answer is below the text.
  at("verdict").scrollIntoView({ block: "nearest", behavior: "instant" });
  at("spoken").textContent = `${spoken}. ${read}.`;
}

function settle(state) {
  keepFocus(() => { at("answer").dataset.state = state; }, () => at("answer-title")); // Try again goes with its error
  at("answer").removeAttribute("aria-busy");
}
