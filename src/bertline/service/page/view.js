// Draws. Whatever comes from the server or the user goes through textContent, never through markup.

const FOLD_AFTER = 24; // labels shown before the rest folds away
const MANY = 8; // labels from which each has one line

const number = new Intl.NumberFormat("en");
const at = (id) => document.getElementById(id);

export function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export const count = (amount, noun) => `${number.format(amount)} ${noun}${amount === 1 ? "" : "s"}`;

export function percent(share) {
  if (share > 0 && share < 0.0005) return "< 0.1\u202f%";
  if (share < 1 && share >= 0.9995) return "> 99.9\u202f%";
  return `${(100 * share).toFixed(1)}\u202f%`;
}

const milliseconds = (ms) => (ms < 9.95 ? `${ms.toFixed(1)} ms` : ms < 9950 ? `${number.format(Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`);

export function showModel(model) {
  document.title = `${model.name} · bertline`;
  at("model-name").textContent = model.name;
  const facts = [];
  const accuracy = model.metrics.accuracy;
  if (accuracy) {
    const fact = make("li", "", "");
    const known = accuracy.low !== null && accuracy.high !== null;
    const interval = known ? ` (95\u202f% interval ${percent(accuracy.low)} to ${percent(accuracy.high)})` : "";
    fact.append(make("strong", "", percent(accuracy.value)), ` accurate on held-out text${interval}`);
    facts.push(fact);
  }
  const version = make("li", "", "version ");
  version.append(make("code", "", model.version));
  facts.push(
    make("li", "", count(model.labels.length, "label")),
    make("li", "", `reads up to ${count(model.max_tokens, "token")}`),
    version,
  );
  at("model-facts").replaceChildren(...facts);
  showNothing(model);
}

// The last answer stays while the next one is awaited; an error does not.
export function showWaiting(model) {
  const answer = at("answer");
  if (answer.dataset.state === "done") answer.dataset.state = "waiting";
  else if (answer.dataset.state !== "waiting") showNothing(model);
  answer.setAttribute("aria-busy", "true");
}

function showNothing(model) {
  drawBars(model.labels.map((label) => ({ label, probability: 0 })), false);
  settle("empty");
}

export function showAnswer({ prediction, took_ms, model_ms }) {
  const { label, probabilities, read_tokens, cut_tokens } = prediction;
  const share = percent(probabilities[0].probability);
  at("verdict").textContent = label;
  at("verdict-share").textContent = share;
  at("took").textContent = milliseconds(took_ms);
  at("model-took").textContent = model_ms === null ? "not said" : milliseconds(model_ms);
  at("read").textContent = cut_tokens ? count(read_tokens, "token") : `${count(read_tokens, "token")}, nothing cut`;
  at("cut").textContent = cut_tokens
    ? `The text is longer than the model reads: ${count(read_tokens, "token")} read, ${number.format(cut_tokens)} left out.`
    : "";
  drawBars(probabilities, true);
  settle("done");
  // On a narrow screen the answer is below the text.
  at("verdict").scrollIntoView({ block: "nearest", behavior: "instant" });
  at("spoken").textContent =
    `${label}, ${share}. ${count(read_tokens, "token")} read, ${cut_tokens ? number.format(cut_tokens) : "none"} left out.`;
}

export function showError(refusal) {
  at("error-title").textContent = refusal.title;
  at("error-message").textContent = refusal.message;
  at("retry").hidden = !refusal.again;
  at("spoken").textContent = "";
  settle("error");
  at("error").scrollIntoView({ block: "nearest", behavior: "instant" });
}

export function showCount(characters, limit) {
  const line = at("count");
  line.hidden = characters < 0.8 * limit;
  line.textContent = `${number.format(characters)} of ${count(limit, "character")}`;
  line.classList.toggle("over", characters > limit);
}

function settle(state) {
  at("answer").dataset.state = state;
  at("answer").removeAttribute("aria-busy");
}

function drawBars(probabilities, answered) {
  const list = at("bars");
  const rows = probabilities.map(({ label, probability }, place) => {
    const row = make("li", answered && place === 0 ? "best" : "");
    const fill = make("span", "fill");
    fill.style.setProperty("--share", probability);
    const track = make("span", "track");
    track.append(fill);
    row.append(make("span", "label", label), make("span", "value", percent(probability)), track);
    row.hidden = place >= FOLD_AFTER;
    return row;
  });
  list.classList.toggle("many", rows.length >= MANY);
  list.replaceChildren(...rows);
  const more = at("more");
  more.hidden = rows.length <= FOLD_AFTER;
  more.textContent = `Show all ${count(rows.length, "label")}`;
  more.onclick = () => {
    rows.forEach((row) => { row.hidden = false; });
    more.hidden = true;
    rows[FOLD_AFTER].scrollIntoView({ block: "nearest" });
  };
}
