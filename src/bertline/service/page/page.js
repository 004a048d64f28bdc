// The page: clicks, keys and modes.

import { Refusal, models, predict } from "./api.js";
import { showAnswer, showAnswers, showError, showNothing, showWaiting } from "./answer.js";
import { at, button } from "./elements.js";
import { RANKING, exampleFile, examplesFor } from "./examples.js";
import { chosenFile, open, startFile } from "./file.js";
import { begin, running as scoring, startJobs } from "./job.js";
import { compares, orders, ranks, showModel, showModels } from "./model.js";
import { showRequest, startProgram } from "./program.js";
import { printed } from "./snippets.js";
import { offer, startViews } from "./views.js";
import { amount, count } from "./words.js";

// Labels of the button for one text and for several, by problem or task.
const CLASSIFY = ["Classify", "Classify"];
const VERBS = { single: CLASSIFY, several: CLASSIFY, tag: ["Find entities", "Find entities in"], rank: ["Rank", "Rank"], embed: ["Compare", "Compare"], fill: ["Fill in", "Fill in"] };
const PREDICT = ["Predict", "Predict"];
// What a program asks as long as nothing has been typed, by task.
const SAMPLES = { classify: "A text to classify", tag: "A text with names", fill: "A [MASK] to fill in", rank: "A text to rank", embed: "A text to embed" };
const sample = () => SAMPLES[model?.task.task ?? "classify"] ?? "A text";
const WARM_UP_MS = 1000; // between requests to a server whose models are warming up
const WARMING = new Refusal("The models are warming up", "They will be ready in a moment; this page retries by itself.");
const PROMPTS = {
  text: { words: "Type a text, or pick an example." },
  lines: { words: "Type texts, one per line.", several: true },
  file: { words: "" },
};
const NO_TEXT = new Refusal("There is no text yet", "Type one, or pick an example.");
const NO_QUERY = new Refusal("There is no query yet", "Type what to look for.");
const NO_FILE = "Choose a CSV file first, or drop one on this page.";

let served = { models: [], limits: { max_chars: Infinity, max_batch_texts: Infinity } };
let model = null;
let mode = "text";
let running = null;

// ---------------------------------------------------------------------------------------------------- the models

let loading = null;
let absent = null; // the error that explains why there is no model
const load = () => (loading ??= fetchModels().finally(() => { loading = null; }));

async function fetchModels() {
  try {
    served = await models();
  } catch (refusal) {
    absent = refusal;
    offer(null);
    return showError(refusal);
  }
  if (!served.models.length) {
    if (absent !== WARMING) showError(WARMING); // once, because screen readers read it aloud
    absent = WARMING;
    offer(null);
    return setTimeout(load, WARM_UP_MS);
  }
  showModels(served.models);
  select(served.models[0]);
}

function select(chosen) {
  running?.abort();
  model = chosen;
  showModel(model);
  at("query-choice").hidden = !orders(model);
  at("modes").hidden = orders(model);
  if (orders(model)) setMode("lines");
  showNothing(model, PROMPTS[mode]);
  showExamples();
  changed();
  const fillers = served.models.filter(({ task }) => task.task === "fill").map(({ name }) => name);
  offer(model, { limits: served.limits, named: served.models.length > 1, fillers });
}

// ---------------------------------------------------------------------------------------------------- the request

// Non-empty lines, as { line, text, subject }; the subject is for other views.
const lines = () => at("text").value.split("\n").map((text, place) => ({ line: place + 1, text, subject: subjectOf(text) })).filter(({ text }) => text.trim());

function typedTexts() {
  if (mode === "file") return chosenFile() ? { texts: firstRows() } : { texts: [sample()] };
  if (mode === "lines") return { texts: [...queryFirst(), ...lines().map(({ text }) => asInput(text))] };
  return { text: at("text").value };
}

// A ranker reads each text with the query.
const asInput = (text, query = at("query").value) => (model && ranks(model) ? { text: query, text_pair: text } : text);

const subjectOf = (text) => (typeof asInput(text) === "string" ? { text } : asInput(text));

// An embedder reads the query as the first text.
const queryFirst = (query = at("query").value) => (model && compares(model) && query.trim() ? [query] : []);

function firstRows() {
  const { table, column } = chosenFile();
  return table.rows.slice(0, 2).map(({ fields }) => fields[column] ?? "");
}

// The fields of every request besides the texts.
function options() {
  const truncation = at("truncation").value;
  return {
    ...(model && served.models.length > 1 && { model: model.name }),
    ...(model && truncation !== model.truncation && { truncation }),
  };
}

// Call it after any input.
function changed() {
  const texts = typedTexts();
  const empty = !(texts.text ?? texts.texts.map((one) => one.text_pair ?? one).join("")).trim();
  const request = empty ? (texts.text === undefined ? { texts: [asInput(sample(), at("query").value || "A query")] } : { text: sample() }) : texts;
  showRequest({ ...request, ...options() }, model ? printed(model) : []);
  showCount(texts);
  const rows = chosenFile()?.table.rows.length;
  const [verb, several] = model ? VERBS[model.task.problem ?? model.task.task] ?? PREDICT : CLASSIFY;
  at("submit").textContent = mode === "text" ? verb
    : mode === "lines" ? `${several} ${lines().length ? count(lines().length, "text") : "texts"}`
    : rows ? `Score ${count(rows, "row")}` : "Score";
  at("submit").hidden = mode === "file" && scoring();
  at("keys").hidden = mode === "file";
}

// The server counts characters; the length of a string counts UTF-16 units.
function showCount({ text, texts = [] }) {
  const { max_chars, max_batch_texts } = served.limits;
  const [have, limit, noun] = mode === "text" ? [[...text].length, max_chars, "character"] : [texts.length, max_batch_texts, "text"];
  at("count").hidden = limit === Infinity || have < (mode === "text" ? 0.8 * limit : Math.min(2, limit + 1));
  at("count").textContent = `${amount(have)} of ${count(limit, noun)}`;
  at("count").classList.toggle("over", have > limit);
}

// ---------------------------------------------------------------------------------------------------- sending

async function submit() {
  if (!model) {
    await load();
    if (!model && mode === "file") return refuseFile(absent.message);
    if (!model || (mode !== "file" && !at("text").value.trim())) return;
  }
  if (mode === "file") return submitFile();
  running?.abort();
  const typed = lines();
  if (!typed.length) return showError(NO_TEXT);
  if (orders(model) && !at("query").value.trim()) return showError(NO_QUERY);
  const most = served.limits.max_batch_texts;
  const asked = typedTexts().texts?.length ?? 1;
  if (asked > most) {
    return showError(new Refusal("Too many texts", `There are ${amount(asked)}, and a request can have ${amount(most)}: save them as a CSV file and drop it here.`));
  }
  const mine = (running = new AbortController());
  showWaiting(model, PROMPTS[mode]);
  try {
    const answer = compared(await predict({ ...typedTexts(), ...options() }, mine.signal));
    if (running !== mine) return;
    if (mode === "text") showAnswer(model, at("text").value, answer);
    else showAnswers(model, ...(orders(model) ? ranked(typed, answer) : [typed, answer]));
  } catch (refusal) {
    if (running !== mine || refusal.name === "AbortError") return;
    if (refusal.status === 404) model = null; // the next try fetches the models again
    showError(inWords(refusal, [...queryFirst().map(() => ({})), ...typed]));
  }
}

// Embeddings as scores: the cosine of the first one, which is the query's, with each of the others.
function compared(answer) {
  if (!compares(model)) return answer;
  const dot = (one, other) => one.reduce((sum, value, place) => sum + value * other[place], 0);
  const length = (one) => Math.sqrt(dot(one, one)) || 1;
  const [{ embedding: query }, ...others] = answer.predictions;
  const score = ({ embedding, ...rest }) => ({ ...rest, score: dot(query, embedding) / length(query) / length(embedding) });
  return { ...answer, predictions: others.map(score) };
}

// Lines and answers, the most relevant first.
function ranked(typed, answer) {
  const { predictions } = answer;
  const order = [...predictions.keys()].sort((one, other) => predictions[other].score - predictions[one].score);
  return [order.map((place) => typed[place]), { ...answer, predictions: order.map((place) => predictions[place]) }];
}

// The server names text, or texts[3]; people count lines.
function inWords(refusal, typed) {
  const line = mode === "lines" && typed[refusal.place]?.line;
  const title = line ? `Line ${line}: ${refusal.title[0].toLowerCase()}${refusal.title.slice(1)}` : refusal.title;
  return new Refusal(title, refusal.about(line ? `line ${line}` : "the text"), refusal);
}

async function submitFile() {
  if (!chosenFile()) {
    refuseFile(NO_FILE);
    return at("choose").focus();
  }
  at("file-error").hidden = true;
  await begin(chosenFile(), { model, options: { ...(model.task.problem === "single" && { top_k: 1 }), ...options() }, limits: served.limits });
}

function refuseFile(message) {
  at("file-error").textContent = message;
  at("file-error").hidden = false;
}

// ---------------------------------------------------------------------------------------------------- the controls

function setMode(next) {
  if (next === mode) return;
  running?.abort();
  mode = next;
  document.querySelector(`input[name=mode][value=${mode}]`).checked = true;
  const file = mode === "file";
  at("typed").hidden = at("answer").hidden = file;
  at("filed").hidden = at("scoring").hidden = !file;
  at("text-label").textContent = mode === "text" ? "Text" : "Texts, one per line";
  at("text").placeholder = mode === "text" ? "Type or paste a text" : "Type or paste texts, one per line";
  if (model) {
    if (!file) showNothing(model, PROMPTS[mode]);
    showExamples();
  }
  changed();
}

function showExamples() {
  const examples = examplesFor(model);
  const short = examples.slice(0, -1).map(([, text]) => text);
  const fill = (text) => () => {
    at("text").value = text;
    at("text").scrollTop = 0;
    changed();
    submit();
  };
  const buttons = {
    text: () => examples.map(([title, text]) => button("", title, fill(text))),
    lines: () => [button("", `${count(short.length, "example")}`, fill(short.join("\n")))],
    file: () => [button("", "An example file", () => open(exampleFile(short)))],
  };
  const ranking = () => {
    at("query").value = RANKING.query;
    fill(RANKING.texts.join("\n"))();
  };
  at("examples").replaceChildren(...(orders(model) ? [button("", "An example", ranking)] : buttons[mode]()));
  at("examples").hidden = false;
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
at("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
  event.preventDefault();
  submit();
});
for (const id of ["text", "query"]) at(id).addEventListener("input", changed);
at("model").addEventListener("change", ({ target }) => select(served.models[target.selectedIndex]));
at("truncation").addEventListener("change", () => {
  changed();
  if (mode !== "file" && at("answer").dataset.state !== "empty" && lines().length) submit();
});
for (const one of document.querySelectorAll("input[name=mode]")) one.addEventListener("change", () => setMode(one.value));
at("retry").addEventListener("click", submit);
if (/mac|iphone|ipad/i.test(navigator.platform)) at("modifier").textContent = "⌘";

startProgram();
startFile(() => setMode("file"), changed);
startJobs(changed);
startViews();
changed();
load();
