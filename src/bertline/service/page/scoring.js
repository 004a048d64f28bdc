// Scores many rows through the service, batch after batch, without losing any. It is independent of the page.

import { Refusal } from "./api.js";
import { Batches } from "./batches.js";
import { kindOf } from "./kinds.js";

const PATIENCE = 6; // consecutive failures of the server until scoring stops
const LONGEST_WAIT_S = 30; // between tries, if the server names no time

export const settled = (row) => row.error !== "" || row.label !== undefined;

// rows: { line, text, error }; gets label, probability, chosen, cut and version, or an error, in place. Settled rows are
//   skipped, so a second call resumes.
// send: takes texts and a signal; returns { predictions, version, took_ms }, or throws a Refusal.
// onProgress: receives { rows } that were settled, or { wait_s, refusal } before a wait.
// Throws a Refusal if neither waiting nor smaller batches can help.
export async function score(rows, { send, limits, signal, onProgress, sleep = wait }) {
  const wrong = rows.filter((row) => !settled(row) && unfit(row, limits));
  if (wrong.length) onProgress({ rows: wrong });
  const batches = new Batches(rows.filter((row) => !settled(row)), limits);
  let failures = 0;
  for (let batch = batches.take(); batch.length; batch = batches.take()) {
    signal.throwIfAborted();
    try {
      const { predictions, took_ms, version } = await send(batch.map(({ text }) => text), signal);
      predictions.forEach((prediction, place) => settle(batch[place], prediction, version));
      batches.took(took_ms.total);
      failures = 0;
      onProgress({ rows: batch });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      const remedy = remedyFor(refusal, batch.length);
      if (remedy.row !== undefined) giveUp(batch, remedy.row, refusal, { batches, onProgress });
      else if (remedy.halve) batches.halve(batch);
      else {
        // Being busy is not a failure.
        if (refusal.status !== 429) failures += 1;
        if (remedy.stop || failures >= PATIENCE) throw refusal;
        batches.giveBack(batch);
        const wait_s = refusal.retry_s ?? Math.min(LONGEST_WAIT_S, 2 ** failures);
        onProgress({ wait_s, refusal });
        await sleep(1000 * wait_s, signal);
      }
    }
  }
}

// The remedy for a refusal: give up one row, halve the batch, wait, or stop.
export function remedyFor({ status, place }, texts) {
  if (place < texts) return { row: place };
  if ([413, 422, 504].includes(status)) return texts > 1 ? { halve: true } : { row: 0 };
  if ([0, 408, 429].includes(status) || status >= 500) return { wait: true };
  return { stop: true };
}

// Finds faults that the server would refuse anyway.
function unfit(row, { max_chars }) {
  if (!row.text.trim()) row.error = "The text is empty.";
  else if (row.text.length > max_chars && [...row.text].length > max_chars) {
    row.error = `The text has more than ${max_chars.toLocaleString("en")} characters, the limit.`;
  }
  return row.error;
}

function giveUp(batch, place, refusal, { batches, onProgress }) {
  batch[place].error = refusal.about("the text");
  batches.giveBack(batch.filter((_, other) => other !== place));
  onProgress({ rows: [batch[place]] });
}

// Several labels are joined, and their probabilities in the same order.
function settle(row, prediction, version) {
  Object.assign(row, { ...kindOf(prediction).row(prediction), cut: prediction.cut_tokens > 0, version });
}

function wait(ms, signal) {
  return new Promise((done, stopped) => {
    const stop = () => { clearTimeout(timer); stopped(signal.reason); };
    const timer = setTimeout(() => { signal.removeEventListener("abort", stop); done(); }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
