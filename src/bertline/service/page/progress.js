// Shows the progress of scoring a file: rate, labels so far, and rows with problems.

import { drawBars } from "./bars.js";
import { at, make } from "./elements.js";
import { namesOf } from "./model.js";
import { settled } from "./scoring.js";
import { addedNames } from "./table.js";
import { amount, count, duration, percent } from "./words.js";

const LISTED_PROBLEMS = 50;
const SPOKEN_STEP = 0.1; // screen readers announce every tenth
const SETTLING_MS = 1000; // until the rate is reliable

export class Progress {
  constructor(table, rows, model) {
    Object.assign(this, { name: table.name, total: rows.length, rows, model, done: 0, problems: 0, cut: 0 });
    this.labels = new Map(namesOf(model).map((label) => [label, 0]));
    this.versions = new Set();
    at("scoring-title").textContent = table.name;
    const names = addedNames(table.header);
    at("scoring-note").textContent = `The download has the additional columns ${names.slice(0, 2).join(", ")} and ${names[2]}.`;
    at("problem-list").replaceChildren();
    for (const row of rows) if (settled(row)) this.count(row);
  }

  started() {
    Object.assign(this, { began_ms: performance.now(), waited_ms: 0, before: this.done, announced: Math.floor(this.share / SPOKEN_STEP) });
    this.settle("running");
    this.draw();
    say(`${this.name}: ${count(this.total, "row")} to score.`);
  }

  update({ rows = [], wait_s, refusal }) {
    this.resume();
    for (const row of rows) this.count(row);
    if (wait_s !== undefined) this.wait(wait_s, refusal);
    else this.draw();
  }

  ended(refusal) {
    this.resume();
    const all = this.done === this.total;
    at("stopped-title").textContent = refusal?.title ?? "";
    at("stopped-message").textContent = refusal?.message ?? "";
    this.settle(all ? "done" : refusal ? "error" : "cancelled");
    this.draw();
    const versions = this.versions.size > 1 ? ` The model changed meanwhile: versions ${[...this.versions].join(", ")}.` : "";
    const outcome = all ? `Took ${duration(this.active_s)}.${versions}` : `Stopped: ${count(this.total - this.done, "row")} not scored.${versions}`;
    at("pace").textContent = outcome;
    say(`${at("scored").textContent}. ${this.problems ? `${this.heading()}. ` : ""}${outcome}`);
  }

  get share() { return this.done / this.total; }
  get active_s() { return (performance.now() - this.began_ms - this.waited_ms) / 1000; }

  count(row) {
    this.done += 1;
    if (row.error) this.problem(row);
    else {
      for (const label of row.chosen) this.labels.set(label, (this.labels.get(label) ?? 0) + 1);
      this.cut += row.cut ? 1 : 0;
      this.versions.add(row.version);
    }
  }

  problem({ line, error }) {
    this.problems += 1;
    if (this.problems > LISTED_PROBLEMS) return;
    const item = make("li", "");
    item.append(make("strong", "", `Line ${amount(line)}`), ` ${error}`);
    at("problem-list").append(item);
  }

  heading() {
    const listed = this.problems > LISTED_PROBLEMS ? `, the first ${LISTED_PROBLEMS} shown` : "";
    return `${count(this.problems, "row")} with a problem${listed}`;
  }

  draw() {
    const { done, total } = this;
    at("progress").value = this.share;
    at("scored").textContent = done === total ? `${count(total, "row")} done` : `${amount(done)} of ${count(total, "row")}`;
    at("pace").textContent = this.pace();
    at("problems").hidden = !this.problems;
    at("problems-title").textContent = this.heading();
    const answered = done - this.problems;
    const counts = [...this.labels].sort((one, other) => other[1] - one[1]);
    drawBars(at("tally"), counts.map(([label, times]) => {
      const share = answered ? times / answered : 0;
      return { label, share, best: false, value: `${amount(times)} · ${percent(share)}` };
    }).slice(0, 24));
    if (Math.floor(this.share / SPOKEN_STEP) > this.announced && done < total) {
      this.announced = Math.floor(this.share / SPOKEN_STEP);
      say(`${Math.floor(100 * this.share)} percent done.`);
    }
  }

  pace() {
    const parts = [];
    if (1000 * this.active_s > SETTLING_MS) {
      const rate = (this.done - this.before) / this.active_s;
      parts.push(`${amount(rate < 10 ? Number(rate.toFixed(1)) : Math.round(rate))} rows per second`);
      if (rate > 0) parts.push(`about ${duration((this.total - this.done) / rate)} left`);
    }
    if (this.cut) parts.push(`${count(this.cut, "text")} truncated`);
    return parts.join(", ") || "Scoring…";
  }

  wait(wait_s, { title, message }) {
    const until_ms = performance.now() + 1000 * wait_s;
    const show = () => {
      const left_s = Math.max(0, Math.ceil((until_ms - performance.now()) / 1000));
      at("pace").textContent = `${title}: retrying in ${count(left_s, "second")}.`;
    };
    this.waiting = { since_ms: performance.now(), timer: setInterval(show, 500) };
    at("pace").title = message;
    show();
    say(at("pace").textContent);
  }

  resume() {
    if (!this.waiting) return;
    clearInterval(this.waiting.timer);
    this.waited_ms += performance.now() - this.waiting.since_ms;
    this.waiting = null;
    at("pace").title = "";
  }

  settle(state) {
    at("scoring").dataset.state = state;
    at("scoring").setAttribute("aria-busy", String(state === "running"));
  }
}

function say(words) {
  at("spoken").textContent = words;
}
