// The answer to what was typed: one text or several. Its state is empty, waiting, done or error.

import { barsWithMore, drawBars, sharesOf } from "./bars.js";
import { at, make } from "./elements.js";
import { amount, count, milliseconds, percent } from "./words.js";

const CALIBRATED = "The probabilities are calibrated: of the answers given at 80\u00a0%, about 80 in 100 are right.";
const SEVERAL = "Each label has a probability of its own; those of 50\u00a0% or more are chosen.";
const SPOKEN_LABELS = 5;
const NONE = "No label";

export function showNothing(model, prompt) {
  const shares = model.labels.map((label) => ({ label, share: 0 }));
  drawBars(at("bars"), prompt.several ? [] : shares, at("more"));
  at("texts").replaceChildren();
  at("prompt").textContent = prompt.words;
  at("spoken").textContent = "";
  settle("empty");
}

// The last answer stays while the next one is awaited; an error does not.
export function showWaiting(model, prompt) {
  const answer = at("answer");
  if (answer.dataset.state === "done") answer.dataset.state = "waiting";
  else if (answer.dataset.state !== "waiting") showNothing(model, prompt);
  answer.setAttribute("aria-busy", "true");
}

export function showAnswer(model, { predictions: [prediction], took_ms }) {
  const { labels, probabilities, read_tokens, cut_tokens } = prediction;
  const [names, share] = verdict(prediction);
  at("verdict").textContent = names;
  at("verdict-share").textContent = share;
  at("cut").textContent = cut_tokens
    ? `The text is longer than the model reads: ${count(read_tokens, "token")} read, ${amount(cut_tokens)} left out.`
    : "";
  drawBars(at("bars"), sharesOf(prediction), at("more"));
  at("texts").replaceChildren();
  const spoken = labels?.length ? chosenWithShares(labels, probabilities) : `${names}, ${share}`;
  finish(model, [prediction], took_ms, spoken);
}

export function showAnswers(model, lines, { predictions, took_ms }) {
  const cut = predictions.filter(({ cut_tokens }) => cut_tokens > 0).length;
  const words = tally(predictions);
  at("verdict").textContent = count(predictions.length, "text");
  at("verdict-share").textContent = "";
  at("cut").textContent = cut
    ? `${count(cut, "text")} of ${amount(predictions.length)} ${cut === 1 ? "is" : "are"} longer than the model reads.`
    : "";
  drawBars(at("bars"), [], at("more"));
  at("texts").replaceChildren(...predictions.map((prediction, place) => answeredText(lines[place].text, prediction)));
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

// "positive" and "90.0 %"; the share of the first label is of no interest where several were chosen.
function verdict({ label, labels, probabilities }) {
  if (labels && !labels.length) return [NONE, `at most ${percent(probabilities[0].probability)}`];
  return [labels?.join(", ") ?? label, labels?.length > 1 ? "" : percent(probabilities[0].probability)];
}

function chosenWithShares(labels, probabilities) {
  return probabilities.slice(0, labels.length).map((one) => `${one.label}, ${percent(one.probability)}`).join("; ");
}

function tally(predictions) {
  const counts = new Map();
  for (const { label, labels } of predictions) {
    for (const one of labels ?? [label]) counts.set(one, (counts.get(one) ?? 0) + 1);
  }
  const most = [...counts].sort((one, other) => other[1] - one[1]).slice(0, SPOKEN_LABELS);
  return most.map(([label, times]) => `${amount(times)} ${label}`).join(", ") || "no label";
}

// One line of the list of texts; what it hides is drawn when it is opened.
function answeredText(text, prediction) {
  const { read_tokens, cut_tokens } = prediction;
  const [names, share] = verdict(prediction);
  const item = make("details", "");
  const head = make("summary", "");
  head.append(make("span", "excerpt", text), make("span", "label", names), make("span", "value", share));
  if (cut_tokens) head.append(make("span", "chip", "cut"));
  item.append(head);
  item.addEventListener("toggle", () => {
    if (item.childElementCount > 1) return;
    const read = make("p", "tokens", readings(read_tokens, cut_tokens, prediction.windows));
    item.append(...barsWithMore(sharesOf(prediction)), read);
  });
  const line = make("li", "");
  line.append(item);
  return line;
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
    at(`${part}-took`).textContent = took_ms[part] === undefined ? "not said" : milliseconds(took_ms[part]);
  }
  const server_ms = (took_ms.tokenise ?? 0) + (took_ms.waiting ?? 0) + (took_ms.inference ?? 0);
  at("rest-took").textContent = milliseconds(Math.max(0, took_ms.total - server_ms));
  at("read").textContent = read;
  at("note").textContent = model.multi_label ? `${SEVERAL} ${CALIBRATED}` : CALIBRATED;
  settle("done");
  // On a narrow screen the answer is below the text.
  at("verdict").scrollIntoView({ block: "nearest", behavior: "instant" });
  at("spoken").textContent = `${spoken}. ${read}.`;
}

function settle(state) {
  at("answer").dataset.state = state;
  at("answer").removeAttribute("aria-busy");
}
