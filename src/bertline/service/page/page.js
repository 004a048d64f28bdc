// The page: what a click or a key does.

import { Refusal, models, predict } from "./api.js";
import { examplesFor } from "./examples.js";
import { make, showAnswer, showCount, showError, showModel, showWaiting } from "./view.js";

const LONGEST_IN_CURL = 240;
const BLANK = new Refusal("There is no text yet", "Type one, or pick an example.", false);

const [form, text, choice, curl] = ["form", "text", "model", "curl"].map((id) => document.getElementById(id));
let served = { models: [], limits: { max_chars: Infinity } };
let model = null;
let running = null;

let loading = null;
const load = () => (loading ??= ask().finally(() => { loading = null; }));

async function ask() {
  try {
    served = await models();
  } catch (refusal) {
    return showError(refusal);
  }
  choice.replaceChildren(...served.models.map(({ name }) => make("option", "", name)));
  document.getElementById("model-choice").hidden = served.models.length < 2;
  select(served.models[0]);
}

function select(chosen) {
  running?.abort();
  model = chosen;
  showModel(model);
  showCurl("");
  const box = document.getElementById("examples");
  box.replaceChildren(...examplesFor(model.labels, model.max_tokens).map(([title, example]) => {
    const button = make("button", "", title);
    button.type = "button";
    button.addEventListener("click", () => {
      text.value = example;
      text.scrollTop = 0;
      text.dispatchEvent(new Event("input"));
      submit();
    });
    return button;
  }));
  box.hidden = false;
}

async function submit() {
  running?.abort();
  if (!model) {
    await load();
    if (!model || !text.value.trim()) return;
  }
  if (!text.value.trim()) return showError(BLANK);
  const mine = (running = new AbortController());
  showWaiting(model);
  showCurl(text.value);
  try {
    const answer = await predict(text.value, model.name, mine.signal);
    if (running === mine) showAnswer(answer);
  } catch (refusal) {
    if (running === mine && refusal.name !== "AbortError") showError(refusal);
  }
}

function showCurl(sent) {
  const short = sent.trim() && sent.length <= LONGEST_IN_CURL ? sent : "A text to classify";
  const body = served.models.length > 1 ? { text: short, model: model.name } : { text: short };
  const quoted = `'${JSON.stringify(body).replaceAll("'", "'\\''")}'`;
  curl.textContent = `curl ${location.origin}/v1/predict \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted}`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
  event.preventDefault();
  submit();
});
// The server counts characters, not the UTF-16 units of a string's length.
text.addEventListener("input", () => showCount([...text.value].length, served.limits.max_chars));
choice.addEventListener("change", () => select(served.models[choice.selectedIndex]));
document.getElementById("retry").addEventListener("click", submit);

if (/mac|iphone|ipad/i.test(navigator.platform)) document.getElementById("modifier").textContent = "⌘";

const copy = document.getElementById("copy");
copy.hidden = !navigator.clipboard; // only where the connection is secure or local
copy.addEventListener("click", async () => {
  await navigator.clipboard.writeText(curl.textContent);
  copy.textContent = "Copied";
  setTimeout(() => { copy.textContent = "Copy"; }, 1500);
});

load();
