// Texts that the server lends to one person: the current one, those that come next, and those that are done and can be undone.
// What is sent goes one after the other, behind what people do: nobody waits for a label to be saved.

import { get, post } from "./api.js";

const AT_ONCE = 10; // texts of a request
const LOW = 4; // texts in hand at which more are asked for
const HOLDER_KEY = "bertline-holder"; // one for each tab, so that two tabs get different texts

export class Lent {
  // changed: called whenever something is different. failed: called with a refusal, after which retry() goes on.
  constructor({ model, named, annotator, changed, failed }) {
    Object.assign(this, { annotator, changed, failed, next: [], done: [], source: "", empty: false, closed: false });
    this.about = named ? { model: model.name } : {};
    this.person = { ...this.about, annotator, holder: holder() };
    this.waiting = []; // what is still to be sent
    this.sending = false;
  }

  get current() { return this.next[0] ?? null; }
  get labelled() { return this.done.filter(({ correct }) => correct !== undefined).length; }

  fill() {
    if (this.next.length < LOW && !this.waiting.some(({ fills }) => fills)) this.send({ fills: true, call: () => this.ask() });
  }

  label(correct) {
    const text = this.next.shift();
    this.done.push({ text, correct });
    this.send({ call: () => this.say(text, correct) });
    this.go();
  }

  skip() {
    const text = this.next.shift();
    this.done.push({ text });
    this.send({ call: () => post("/v1/review/skip", { ...this.person, id: text.id }) });
    this.go();
  }

  // The last one again, without its label.
  undo() {
    const last = this.done.pop();
    if (!last) return null;
    this.next.unshift(last.text);
    if (last.correct !== undefined) this.send({ call: () => post("/v1/feedback/withdraw", this.item(last.text)) });
    this.go();
    return last;
  }

  retry() { this.run(); }
  close() { this.closed = true; }

  go() {
    this.fill();
    this.changed();
  }

  async ask() {
    const holding = this.next.map(({ id }) => id);
    const { source, texts } = await post("/v1/review", { ...this.person, limit: AT_ONCE, holding });
    const known = new Set([...holding, ...this.done.map(({ text }) => text.id)]);
    this.source = source;
    const fresh = texts.filter(({ id }) => !known.has(id));
    this.next.push(...fresh);
    this.empty = !fresh.length;
  }

  item(text) {
    return { request_id: text.request_id, index: text.index, source: this.source, annotator: this.annotator };
  }

  async say(text, correct) {
    const { items: [{ status, message }] } = await post("/v1/feedback", { items: [{ ...this.item(text), correct }] });
    if (status === "invalid") throw new Error(message);
  }

  progress() { return get("/v1/review", this.about); }

  send(one) {
    this.waiting.push(one);
    this.run();
  }

  async run() {
    if (this.sending) return;
    this.sending = true;
    try {
      while (this.waiting.length && !this.closed) {
        await this.waiting[0].call();
        this.waiting.shift();
        this.changed();
      }
    } catch (refusal) {
      if (!this.closed) this.failed(refusal);
    } finally {
      this.sending = false;
    }
  }
}

function holder() {
  const known = sessionStorage.getItem(HOLDER_KEY);
  if (known) return known;
  const made = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  sessionStorage.setItem(HOLDER_KEY, made);
  return made;
}
