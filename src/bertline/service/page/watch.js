// Watch: versions and rollout of the model, live accuracy, and what this server has answered so far.

import { get, metricsText, send } from "./api.js";
import { button, make, nest } from "./elements.js";
import { focusOn, keepFocus } from "./focus.js";
import { quantile, samplesOf, sum } from "./metrics.js";
import { refused } from "./refusal.js";
import { keepHistory } from "./watch-history.js";
import { amount, count, hundredths, milliseconds, moment, percent, seconds } from "./words.js";

const EVERY_MS = 5000;
const HOW_IT_STANDS = {
  running: "is going on",
  paused: "is paused",
  watching: "has made it the champion, which is watched for a while",
  promoted: "ended: it is the champion now",
  passed: "ended: the shadow passed",
  rolled_back: "ended: it was rolled back",
  aborted: "was ended by hand",
};
const CARDS = [["versions", "Versions"], ["rollout", "Rollout"], ["accuracy", "Live accuracy"], ["traffic", "This server since its start"], ["history", "Over time"]];
const OPEN = ["running", "paused", "watching"];

let cards = null;
let context = null;
let timer = null;
let endHistory = () => {};

export function show(section, next) {
  context = next;
  hide();
  cards = {};
  for (const [name, title] of CARDS) {
    cards[name] = make("section", `card of-${name}`);
    const head = Object.assign(make("h2", "title", title), { id: `watch-${name}` });
    cards[name].setAttribute("aria-labelledby", head.id);
    cards[name].append(head, nest("div", "content", make("p", "soft", "Looking…")));
  }
  section.replaceChildren(nest("div", "watching", ...Object.values(cards)));
  endHistory = keepHistory(cards.history, context.model);
  look();
}

export function hide() {
  clearTimeout(timer);
  endHistory();
  cards = null;
}

async function look() {
  const mine = cards;
  const name = encodeURIComponent(context.model.name);
  await Promise.all([
    fill(mine, "versions", () => get(`/admin/models/${name}`), versions),
    fill(mine, "rollout", () => get(`/v1/models/${name}/rollout`), rollout),
    fill(mine, "accuracy", () => get("/v1/feedback", { model: context.model.name }), accuracy),
    fill(mine, "traffic", async () => samplesOf(await metricsText()), traffic),
  ]);
  if (cards === mine) timer = setTimeout(look, EVERY_MS);
}

// What is asked fills a card. Nothing is drawn that is drawn already, and a button that has the focus hands it to the same one.
async function fill(mine, name, ask, draw) {
  let drawn, known;
  try {
    const answer = await ask();
    known = JSON.stringify(answer);
    drawn = () => draw(answer);
  } catch (refusal) {
    known = `${refusal.code} ${refusal.message}`;
    drawn = () => (refusal.code === "not_found" ? [make("p", "soft", refusal.message)] : [refused(refusal)]);
  }
  if (cards !== mine || mine[name].known === known) return;
  mine[name].known = known;
  const words = document.activeElement.textContent;
  keepFocus(() => mine[name].querySelector(".content").replaceChildren(...drawn()), () => heir(mine[name], words));
}

// The button of a card with these words, else the card's heading.
const heir = (card, words) => [...card.querySelectorAll("button")].find(({ textContent }) => textContent === words) ?? card.firstElementChild;


// ---------------------------------------------------------------------------------------------------- versions

const LONG = 60; // characters: such a fact stands below its name
const facts = (...entries) => nest("dl", "pairs", ...entries.map(([words, content]) => nest("div", content.length > LONG ? "long" : "", make("dt", "", words), make("dd", "", content))));
const measured = ({ value, low, high }) => `${percent(value)} (${percent(low)} to ${percent(high)})`;

function version(words, { version: id, engine, ready, metrics }) {
  return nest("div", "version", nest("p", "", make("strong", "", words), " ", make("code", "", id)), facts(["Engine", engine ?? "unknown"], ["State", ready ? "ready" : "restarting"], ...(metrics.accuracy?.low === undefined || metrics.accuracy.low === null ? [] : [["Held-out accuracy", measured(metrics.accuracy)]])));
}

function versions({ current, previous }) {
  if (!previous) return [version("Answers now", current), make("p", "soft", "There is no earlier version on this server to roll back to.")];
  const back = () => confirmed({
    card: "versions",
    words: `Roll back to version ${previous.version}? It is still running and answers at once; version ${current.version} stops answering.`,
    verb: "Roll back",
    act: () => send("POST", `/admin/models/${encodeURIComponent(context.model.name)}/rollback`),
  });
  return [version("Answers now", current), version("Before", previous), button("quiet", "Roll back…", back)];
}

const share = (step) => (step === "shadow" ? step : hundredths(step));

function stages({ steps, place, status }) {
  const ended = !OPEN.includes(status);
  const marks = steps.map((step, at) => {
    const one = make("li", at < place || (at === place && ["promoted", "passed"].includes(status)) ? "done" : "", share(step));
    if (at === place && !ended) one.setAttribute("aria-current", "step");
    return one;
  });
  return Object.assign(nest("ol", "stages", ...marks), { ariaLabel: "Steps" });
}

function counted({ champion_requests, champion_errors, champion_slow, challenger_requests, challenger_errors, challenger_slow }) {
  const row = (words, ...numbers) => nest("tr", "", Object.assign(make("th", "", words), { scope: "row" }), ...numbers.map((one) => make("td", "", amount(one))));
  const head = nest("tr", "", ...["In this step", "Requests", "Failed", "Slow"].map((words) => Object.assign(make("th", "", words), { scope: "col" })));
  return nest("div", "figures numbers", nest("table", "", nest("thead", "", head), nest("tbody", "", row("Champion", champion_requests, champion_errors, champion_slow), row("Challenger", challenger_requests, challenger_errors, challenger_slow))));
}

function rollout(state) {
  if (!state) return [make("p", "soft", "No rollout yet. A new version goes live in steps with bertline models promote NAME:VERSION --canary, or with POST /v1/models/NAME/canary on a server without a registry.")];
  const { status, reason, outlook, challenger, counts, by, since } = state;
  const shared = state.decided_by === "registry";
  const end = () => confirmed({
    card: "rollout",
    words: `End the rollout of ${challenger}? The version that answered before answers everything again${shared ? ", on every server" : ""}.`,
    verb: "End the rollout",
    act: () => send("DELETE", `/v1/models/${encodeURIComponent(context.model.name)}/rollout`),
  });
  return [
    nest("p", "", "The rollout of ", make("code", "", challenger), ` ${HOW_IT_STANDS[status] ?? status}.`),
    stages(state),
    facts(
      [OPEN.includes(status) ? "In this step since" : "Ended", moment(since)],
      ["Begun by", by],
      ["Decided by", shared ? "the registry, for all its servers" : "this server"],
      ...(reason ? [["Why", reason]] : []),
      ...(outlook ? [["Next", outlook]] : []),
      ...(counts?.compared ? [["Compared", `${count(counts.compared, "request")}, ${amount(counts.disagreed)} with different answers`]] : []),
    ),
    ...(counts ? [counted(counts)] : []),
    ...(OPEN.includes(status) ? [button("quiet", "End the rollout…", end)] : []),
  ];
}

// Asks before it acts, and looks again afterwards.
function confirmed({ card, words, verb, act }) {
  const opener = document.activeElement.textContent;
  let acting = false;
  const dialog = make("dialog", "card");
  const trouble = make("div", "");
  const yes = button("primary", verb, async () => {
    if (acting) return; // it is not disabled, which would take its focus
    acting = true;
    try {
      await act();
      dialog.close();
    } catch (refusal) {
      trouble.replaceChildren(refused(refusal));
    }
    acting = false;
  });
  const title = Object.assign(make("h2", "title", verb), { id: "confirm-title" });
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.append(title, make("p", "", words), trouble, nest("div", "actions", yes, button("quiet", "Cancel", () => dialog.close())));
  dialog.addEventListener("close", () => {
    dialog.remove();
    clearTimeout(timer);
    if (!cards) return;
    if (document.activeElement === document.body) focusOn(heir(cards[card], opener)); // its button was drawn anew meanwhile
    look();
  });
  document.body.append(dialog);
  dialog.showModal();
}

// ---------------------------------------------------------------------------------------------------- figures

// The latest test for a drop, of the version that answers now.
function fallen({ at, labels, dropped, since, accuracy: figure, expected }) {
  const usual = `at least ${percent(expected)} was expected`;
  const found = dropped
    ? make("strong", "", `Accuracy dropped: ${percent(figure)} of the answers since ${moment(since)} were right, ${usual}.`)
    : `No drop of accuracy that lasts: ${percent(figure)} of the answers were right, ${usual}.`;
  return nest("p", dropped ? "" : "note", found, ` Tested ${moment(at)} on ${count(labels, "answer")}.`);
}

function accuracy({ versions: known, tested }) {
  if (!known.length) return [make("p", "soft", "There is no feedback on answers of this model yet: label some, or send it to POST /v1/feedback.")];
  const rows = known.map(({ version: id, right, wrong, accuracy: figure }) => nest("tr", "", Object.assign(nest("th", "", make("code", "", id)), { scope: "row" }), make("td", "", figure ? measured(figure) : "neither right nor wrong"), make("td", "", amount(right + wrong))));
  const head = nest("tr", "", ...["Version", "Accuracy, 95\u202f% interval", "Answers"].map((words) => Object.assign(make("th", "", words), { scope: "col" })));
  return [nest("div", "figures", nest("table", "", nest("thead", "", head), nest("tbody", "", ...rows))), make("p", "note", "Of answers with feedback. People report errors more often than right answers, so this is rarely the accuracy of all answers."), ...(tested ? [fallen(tested)] : [])];
}

function traffic(samples) {
  const model = { model: context.model.name };
  const requests = sum(samples, "bertline_requests_total", model);
  if (!requests) return [make("p", "soft", "No request to this model has been answered yet.")];
  const texts = sum(samples, "bertline_texts_total", model);
  const failed = samples.filter(({ name, labels }) => name === "bertline_http_requests_total" && labels.method === "POST" && labels.status >= "500").reduce((total, { value }) => total + value, 0);
  const within = (share) => {
    const end_s = quantile(samples, "bertline_phase_seconds", share, { ...model, phase: "compute" });
    return end_s === null ? "unknown" : end_s === Infinity ? "longer than the metrics measure" : `within ${milliseconds(1000 * end_s)}`;
  };
  const confident = sum(samples, "bertline_confidence_count", model);
  const drift = samples.filter(({ name, labels, value }) => name === "bertline_drift_found" && labels.model === model.model && value).map(({ labels }) => labels.kind);
  const checked = sum(samples, "bertline_drift_checked_timestamp_seconds", model);
  return [
    facts(
      ["Requests", `${amount(requests)}, with ${count(texts, "text")}`],
      ["Failed, all models", amount(failed)],
      ["Inference, median", within(0.5)],
      ["Inference, p99", within(0.99)],
      ...(texts ? [["Cost", `${seconds((1000 * sum(samples, "bertline_batch_seconds_sum", model)) / texts)} of a core for 1,000 texts`]] : []),
      ["In the queue", count(sum(samples, "bertline_queue_texts", model), "text")],
      ...(confident ? [["Mean confidence", percent(sum(samples, "bertline_confidence_sum", model) / confident)]] : []),
      ...(checked ? [["Drift", drift.length ? `found: ${drift.join(", ")}` : "none at the last check"]] : []),
    ),
  ];
}
