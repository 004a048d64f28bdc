// A file that is scored: start, cancel, resume, download.

import { Refusal, predict } from "./api.js";
import { at } from "./elements.js";
import { Progress } from "./progress.js";
import { score, settled } from "./scoring.js";
import { scoredFile, tasks } from "./table.js";

let job = null;
let changed = () => {};

export const running = () => job?.stop != null;

export function startJobs(onChange) {
  changed = onChange;
  at("cancel").addEventListener("click", () => job.stop.abort());
  at("resume").addEventListener("click", run);
  at("download").addEventListener("click", download);
  addEventListener("beforeunload", (event) => {
    if (running() || (job && !job.saved)) event.preventDefault();
  });
}

// options: the fields of every request besides the texts.
export function begin({ table, column }, { model, options, limits }) {
  const rows = tasks(table, column);
  job = { table, rows, options, limits, model, stop: null, saved: false, progress: new Progress(table, rows, model) };
  return run();
}

async function run() {
  const mine = job;
  mine.stop = new AbortController();
  mine.saved = false;
  mine.progress.started();
  at("cancel").focus(); // the button that had the focus is gone
  changed();
  let refusal = null;
  try {
    await score(mine.rows, {
      send: (texts, signal) => predict({ texts, ...mine.options }, signal),
      limits: mine.limits,
      signal: mine.stop.signal,
      onProgress: (event) => mine.progress.update(event),
    });
  } catch (error) {
    if (error.name !== "AbortError") refusal = error instanceof Refusal ? error : new Refusal("The page failed", String(error));
  } finally {
    mine.stop = null;
    mine.progress.ended(refusal);
    changed();
  }
  const next = mine.rows.every(settled) ? "download" : "resume";
  // Move the focus only if the button that had it is gone.
  if ([document.body, at("cancel")].includes(document.activeElement)) at(next).focus();
}

async function download() {
  const mine = job;
  const rows = mine.rows.map((row) => (settled(row) ? row : { ...row, error: "Not scored." }));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await scoredFile(mine.table, rows));
  link.download = mine.table.name.replace(/(\.[^.]*)?$/, (ending) => `-scored${ending || ".csv"}`);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // by then the browser has begun to save it
  mine.saved = true;
}
