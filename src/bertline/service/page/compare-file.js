// The table of Compare: its file, its columns, the request, and how far it is.

import { postLines } from "./api.js";
import { drawResults } from "./compare-results.js";
import { CsvError } from "./csv.js";
import { button, field, make, nest, select } from "./elements.js";
import { refused } from "./refusal.js";
import { readTable, textColumn } from "./table.js";
import { amount, count } from "./words.js";

const LABEL_NAMES = /^(labels?|class|category|topic|target|sentiment|intent|stars|rating|gold|correct|truth|entities|relevance|score|y)$/i;
const PAIR_NAMES = /^(text_pair|pair|second|text_?b|text_?2|hypothesis|sentence_?2)$/i;
const QUERY_NAMES = /^(query|queries|question|search)$/i;
const MOST_VALUES = 50; // of a column to slice by, as on the server
const MOST_SLICES = 8;
const NONE = "-1";
const ROW_BYTES = 24; // of a row around its values, at most, besides the names of columns
const BYTES = 3; // at most, per UTF-16 unit of a JSON string

export class Table {
  // limits: of the server. sides: returns the two chosen versions. results: element for the comparison. say: for screen readers.
  constructor({ limits, sides, results, say }) {
    Object.assign(this, { limits, sides, results, say, table: null, model: null, running: null });
    this.input = Object.assign(document.createElement("input"), { type: "file", accept: ".csv,.tsv,.txt,text/csv", hidden: true });
    this.input.setAttribute("aria-label", "CSV file");
    this.input.addEventListener("change", () => {
      if (this.input.files.length) this.open(this.input.files[0]);
      this.input.value = ""; // so that the same file can be chosen again
    });
    this.choose = button("quiet", "Choose a file", () => this.input.click());
    this.name = make("p", "file-name", "Drop a CSV file anywhere on this page");
    this.facts = make("p", "file-facts", "Texts, and if you have them labels and columns to break the figures down by. The file is read in this browser.");
    this.columns = make("div", "columns");
    this.trouble = make("div", "");
    this.submit = make("button", "primary", "Compare");
    this.stop = button("quiet", "Cancel", () => this.running?.abort());
    this.progress = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
    this.progress.setAttribute("aria-label", "Compared");
    this.pace = make("p", "pace");
    this.going = nest("div", "going", this.progress, this.pace, this.stop);
    this.sending = nest("div", "send", this.submit);
    this.element = nest("div", "", nest("div", "drop", this.name, this.facts, this.choose, this.input), this.columns, this.trouble, this.sending, this.going);
    this.columns.hidden = this.going.hidden = this.sending.hidden = true;
  }

  async open(file) {
    this.running?.abort();
    this.trouble.replaceChildren();
    this.name.textContent = file.name;
    this.facts.textContent = "Reading…";
    try {
      this.table = await readTable(file);
    } catch (error) {
      this.table = null;
      const message = error instanceof CsvError ? error.message : `The browser cannot read the file: ${error.message}`;
      this.trouble.replaceChildren(refused({ title: "No table was read", message }));
    }
    this.columns.hidden = this.sending.hidden = !this.table;
    this.facts.textContent = this.table ? `${count(this.table.rows.length, "row")}, ${count(this.table.header.length, "column")}, ${this.table.encoding}` : "";
    this.choose.textContent = "Choose another file";
    this.results.replaceChildren();
    if (this.table) this.offer();
  }

  // The model whose columns are asked for.
  forModel(described) {
    const other = described !== this.model;
    this.model = described;
    this.results.replaceChildren();
    if (other && this.table) this.offer();
  }

  get names() {
    const taken = new Set();
    return this.table.header.map((name, place) => {
      let free = name.trim() || `column ${place + 1}`;
      while (taken.has(free)) free += "_";
      taken.add(free);
      return free;
    });
  }

  offer() {
    const { header } = this.table;
    const { task } = this.model ?? { task: { task: "classify", reads: "text" } };
    const options = this.names.map((name, place) => [String(place), name]);
    const found = (pattern) => String(header.findIndex((name) => pattern.test(name.trim())));
    const one = (pattern, optional) => {
      const list = select([...(optional ? [[NONE, "none"]] : []), ...options], () => this.changed());
      const value = pattern === null ? String(textColumn(this.table)) : found(pattern);
      list.value = value === NONE && !optional ? "0" : value;
      return list;
    };
    this.text = one(null, false);
    this.pair = task.reads === "pair" ? one(PAIR_NAMES, false) : task.reads === "query" ? one(QUERY_NAMES, false) : null;
    this.label = ["classify", "tag", "rank"].includes(task.task) ? one(LABEL_NAMES, true) : null;
    const lines = [field("choice", "Texts", "compare-column-text", this.text)];
    if (this.pair) lines.push(field("choice", task.reads === "query" ? "Queries" : "Second texts", "compare-column-pair", this.pair));
    if (this.label) lines.push(field("choice", task.task === "tag" ? "Entities" : task.task === "rank" ? "Scores" : "Labels", "compare-column-label", this.label));
    this.slices = make("fieldset", "slices-of");
    this.columns.replaceChildren(...lines, this.slices);
    this.changed();
  }

  // Columns with few values, which are none of the others.
  changed() {
    const used = new Set([this.text, this.pair, this.label].filter(Boolean).map(({ value }) => Number(value)));
    const ticked = new Set([...this.slices.querySelectorAll("input:checked")].map(({ value }) => value));
    const few = this.table.header.map((_, place) => place).filter((place) => !used.has(place) && this.valuesOf(place) <= MOST_VALUES);
    const boxes = few.slice(0, MOST_SLICES).map((place) => {
      const box = Object.assign(document.createElement("input"), { type: "checkbox", value: String(place), checked: ticked.has(String(place)) });
      return nest("label", "", box, ` ${this.names[place]}`);
    });
    this.slices.replaceChildren(...(boxes.length ? [make("legend", "", "Break down by"), ...boxes] : []));
    this.slices.hidden = !boxes.length || !this.label || this.label.value === NONE;
    this.submit.textContent = `Compare on ${count(this.chosenRows().length, "row")}`;
  }

  valuesOf(place) {
    const values = new Set();
    for (const { fields } of this.table.rows) {
      values.add(fields[place] ?? "");
      if (values.size > MOST_VALUES) break;
    }
    return values.size;
  }

  // Rows that a request may have: all, or as many as fit, spread evenly over the table.
  chosenRows() {
    const columns = this.chosenColumns();
    const whole = this.table.rows.filter(({ fields }) => fields.length === this.table.header.length);
    const head = columns.reduce((sum, place) => sum + this.names[place].length + 6, ROW_BYTES);
    const sizes = whole.map(({ fields }) => columns.reduce((sum, place) => sum + BYTES * fields[place].length, head));
    const mean = sizes.reduce((sum, size) => sum + size, 0) / Math.max(1, whole.length);
    const most = Math.min(this.limits.most_rows, Math.floor((0.9 * this.limits.max_body_bytes) / mean));
    if (whole.length <= most) return whole;
    return Array.from({ length: most }, (_, place) => whole[Math.floor((place * whole.length) / most)]);
  }

  chosenColumns() {
    const ticked = this.label && this.label.value !== NONE ? [...this.slices.querySelectorAll("input:checked")].map(({ value }) => Number(value)) : [];
    return [...new Set([this.text, this.pair, this.label].filter(Boolean).map(({ value }) => Number(value)).filter((place) => place >= 0).concat(ticked))];
  }

  request(rows) {
    const [first, second] = this.sides();
    const { names } = this;
    const { task } = this.model ?? {};
    const columns = this.chosenColumns();
    const labelled = Boolean(this.label) && this.label.value !== NONE;
    const label = labelled && names[Number(this.label.value)];
    const nameOfLabel = task?.task === "tag" ? "entities_column" : task?.task === "rank" ? "score_column" : "label_column";
    const slices = [...this.slices.querySelectorAll("input:checked")].map(({ value }) => names[Number(value)]);
    return {
      first: { model: first.model, version: first.version },
      second: { model: second.model, version: second.version },
      rows: rows.map(({ fields }) => Object.fromEntries(columns.map((place) => [names[place], fields[place]]))),
      text_column: names[Number(this.text.value)],
      ...(this.pair && { [task.reads === "query" ? "query_column" : "text_pair_column"]: names[Number(this.pair.value)] }),
      labelled,
      ...(labelled && { [nameOfLabel]: label, ...(slices.length && { slice_columns: slices }) }),
      ...(labelled && task?.problem === "several" && this.separator(rows)),
      skip_bad_rows: true,
    };
  }

  // What separates several labels in a cell; lists of JSON need none.
  separator(rows) {
    const cells = rows.map(({ fields }) => fields[Number(this.label.value)]);
    if (cells.some((cell) => cell.trim().startsWith("["))) return {};
    return { label_separator: ["|", ";", ","].find((one) => cells.some((cell) => cell.includes(one))) ?? "|" };
  }

  async run() {
    if (!this.table) return this.choose.focus();
    const sides = this.sides();
    this.trouble.replaceChildren();
    if (sides[0] === sides[1]) {
      return this.trouble.replaceChildren(refused({ title: "A and B are the same", message: "Pick another version for one of them." }));
    }
    this.running?.abort();
    const mine = (this.running = new AbortController());
    const rows = this.chosenRows();
    const request = this.request(rows);
    this.results.replaceChildren();
    this.turn(true);
    this.say(`Comparing on ${count(rows.length, "row")}.`);
    let result = null;
    try {
      await postLines("/v1/compare/table", request, mine.signal, (line) => {
        if (line.result) result = line.result;
        else this.moved(line);
      });
      if (this.running !== mine) return;
      const drawn = drawResults(result, { rows, total: this.table.rows.length, request, header: this.table.header, dialect: this.table.dialect, file: this.table.name, nearest: this.model?.task.task === "embed" });
      this.results.replaceChildren(...drawn.elements);
      this.say(drawn.spoken);
      this.results.querySelector("h2")?.scrollIntoView({ block: "start", behavior: "instant" });
    } catch (refusal) {
      if (this.running !== mine) return;
      if (refusal.name === "AbortError") this.say("Cancelled.");
      else this.trouble.replaceChildren(refused(refusal, () => this.run()));
    } finally {
      if (this.running === mine) {
        this.running = null;
        this.turn(false);
      }
    }
  }

  turn(going) {
    this.going.hidden = !going;
    this.sending.hidden = going;
    this.moved({ done: 0, of: 1 });
    if (going) this.stop.focus();
    else if (document.activeElement === document.body || document.activeElement === this.stop) this.submit.focus({ preventScroll: true });
  }

  moved({ done, of }) {
    this.progress.value = done / of;
    this.pace.textContent = done ? `${amount(done)} of ${amount(of)} answers by both` : "Both versions are asked. Requests of others go first.";
  }
}
