// Scores many rows through the service, batch after batch; no row is lost on the way.
// It knows nothing of the page: what happens is told.

import { Refusal } from "./api.js";
import { Batches } from "./batches.js";
import { kindOf } from "./kinds.js";

const PATIENCE = 6; // failures in a row, of the server and not of a row, until a person is asked
const LONGEST_WAIT_S = 30; // between tries, where the server says nothing

export const settled = (row) => row.error !== "" || row.label !== undefined;

// rows: { line, text, error }, completed in place with label, probability, chosen, cut and version, or with an error;
//   those that are settled stay as they are, so that a second call goes on where the first one stopped.
// send: texts and a signal to { predictions, version, took_ms }, or a Refusal.
// told: receives { rows } that were settled, or { wait_s, refusal } before a wait.
// Throws the Refusal that neither waiting nor a smaller batch cures.
export async function score(rows, { send, limits, signal, told, sleep = slept }) {
  const wrong = rows.filter((row) => !settled(row) && unfit(row, limits));
  if (wrong.length) told({ rows: wrong });
  const batches = new Batches(rows.filter((row) => !settled(row)), limits);
  let failures = 0;
  for (let batch = batches.take(); batch.length; batch = batches.take()) {
    signal.throwIfAborted();
    try {
      const { predictions, took_ms, version } = await send(batch.map(({ text }) => text), signal);
      predictions.forEach((prediction, place) => settle(batch[place], prediction, version));
      batches.took(took_ms.total);
      failures = 0;
      told({ rows: batch });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      const remedy = remedyFor(refusal, batch.length);
      if (remedy.row !== undefined) giveUp(batch, remedy.row, refusal, { batches, told });
      else if (remedy.halve) batches.halve(batch);
      else {
        // A busy server works; only silence and failures wear patience out.
        if (refusal.status !== 429) failures += 1;
        if (remedy.stop || failures >= PATIENCE) throw refusal;
        batches.giveBack(batch);
        const wait_s = refusal.retry_s ?? Math.min(LONGEST_WAIT_S, 2 ** failures);
        told({ wait_s, refusal });
        await sleep(1000 * wait_s, signal);
      }
    }
  }
}

// What can be done about a refusal: give up one row, send less at once, wait, or stop.
export function remedyFor({ status, place }, texts) {
  if (place < texts) return { row: place };
  if ([413, 422, 504].includes(status)) return texts > 1 ? { halve: true } : { row: 0 };
  if ([0, 408, 429].includes(status) || status >= 500) return { wait: true };
  return { stop: true };
}

// What the server would refuse anyway is not sent.
function unfit(row, { max_chars }) {
  if (!row.text.trim()) row.error = "The text is empty.";
  else if (row.text.length > max_chars && [...row.text].length > max_chars) {
    row.error = `The text has more than ${max_chars.toLocaleString("en")} characters, the limit.`;
  }
  return row.error;
}

function giveUp(batch, place, refusal, { batches, told }) {
  batch[place].error = refusal.about("the text");
  batches.giveBack(batch.filter((_, other) => other !== place));
  told({ rows: [batch[place]] });
}

// Of a model with several labels, those that were chosen, and their probabilities in the same order.
function settle(row, prediction, version) {
  Object.assign(row, { ...kindOf(prediction).row(prediction), cut: prediction.cut_tokens > 0, version });
}

function slept(ms, signal) {
  return new Promise((done, stopped) => {
    const stop = () => { clearTimeout(timer); stopped(signal.reason); };
    const timer = setTimeout(() => { signal.removeEventListener("abort", stop); done(); }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
