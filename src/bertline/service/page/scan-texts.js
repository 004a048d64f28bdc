// Where the texts of a scan come from: typed ones, a column of a file, or those that the server kept.

import { Refusal, get } from "./api.js";
import { CsvError } from "./csv.js";
import { button, field, make, nest, select } from "./elements.js";
import { ranks } from "./model.js";
import { readTable, textColumn } from "./table.js";
import { amount, count } from "./words.js";

const SOURCES = [["typed", "Typed"], ["file", "File"], ["kept", "Kept texts"]];
const PAIR_NAMES = /^(text_pair|text2|sentence2|hypothesis|premise2|second|answer)$/i;
const QUERY_NAMES = /^(query|question|search|q)$/i;
const NO_STORE = "This server keeps no texts. Start it with --predictions-url and --predictions-text, or type texts.";

export class Texts {
  // changed: called when there may be more or fewer texts.
  constructor(changed) {
    this.changed = changed;
    this.source = "typed";
    this.table = null;
    this.lines = area("One text per line");
    this.first = area("");
    this.error = make("p", "error");
    this.error.setAttribute("role", "alert");
    this.error.hidden = true;
    this.boxes = { typed: this.typedBox(), file: this.fileBox(), kept: make("p", "note kept", "Texts that people sent to the model, chosen at random among those that the server kept.") };
    this.elements = [this.modes(), ...Object.values(this.boxes)];
    this.showSource();
  }

  get typed() { return this.lines.value; }

  // Another view's text, unless something was typed.
  type({ text, text_pair }) {
    this.first.value = text_pair === undefined ? "" : text;
    this.lines.value = text_pair ?? text;
    this.changed();
  }

  prepare(context) {
    this.context = context;
    this.pairs = context.model.task.reads !== "text";
    this.firstLine.hidden = !this.pairs;
    const query = ranks(context.model);
    this.firstLine.firstElementChild.textContent = query ? "Query" : "First text";
    this.linesLabel.textContent = this.pairs ? (query ? "Texts for it, one per line" : "Second texts, one per line") : "Texts, one per line";
    this.secondLine.hidden = !this.pairs;
    this.secondLine.firstElementChild.textContent = query ? "Column of the queries" : "Column of the second texts";
    this.error.hidden = true;
  }

  get number() {
    if (this.source === "typed") return this.written().length;
    return this.source === "file" ? this.table?.rows.length ?? 0 : 0;
  }

  // At most so many texts, as the server takes them, and how many there are.
  async take(most, signal) {
    const every = this.source === "kept" ? await this.kept(most, signal) : this.source === "file" ? this.rows() : this.written();
    const missing = { typed: this.pairs ? "Both texts are needed: type them." : "There is no text yet: type one.", file: "Choose a file first.", kept: "The server has kept no text yet." }[this.source];
    return { texts: sample(every, most), given: every.length, missing };
  }

  written() {
    const lines = this.lines.value.split("\n").filter((line) => line.trim());
    if (!this.pairs) return lines;
    return this.first.value.trim() ? lines.map((line) => ({ text: this.first.value, text_pair: line })) : [];
  }

  rows() {
    if (!this.table) return [];
    const [own, other] = [this.column.selectedIndex, this.second.selectedIndex];
    const query = this.context && ranks(this.context.model);
    const texts = this.table.rows.map(({ fields }) => ({ text: fields[query ? other : own] ?? "", text_pair: fields[query ? own : other] ?? "" }));
    if (!this.pairs) return texts.map(({ text }) => text).filter((text) => text.trim());
    return texts.filter(({ text, text_pair }) => text.trim() && text_pair.trim());
  }

  async kept(most, signal) {
    const { model, named } = this.context;
    try {
      return (await get("/v1/review/texts", { limit: most, ...(named && { model: model.name }) }, signal)).texts;
    } catch (refusal) {
      if (refusal.code !== "not_found") throw refusal;
      throw new Refusal("No texts", NO_STORE);
    }
  }

  // ------------------------------------------------------------------------------------------------ the elements

  modes() {
    const box = nest("fieldset", "modes", make("legend", "visually-hidden", "Where the texts come from"));
    for (const [value, words] of SOURCES) {
      const one = Object.assign(make("input", ""), { type: "radio", name: "scan-source", value, autocomplete: "off", checked: value === "typed" });
      one.addEventListener("change", () => this.turn(value));
      box.append(nest("label", "", one, make("span", "", words)));
    }
    return box;
  }

  typedBox() {
    this.firstLine = field("first", "First text", "scan-first", this.first);
    const line = field("lines", "Texts, one per line", "scan-lines", this.lines);
    this.linesLabel = line.firstElementChild;
    for (const one of [this.first, this.lines]) one.addEventListener("input", () => this.changed());
    return nest("div", "typed", this.firstLine, line);
  }

  fileBox() {
    const input = Object.assign(make("input", ""), { type: "file", accept: ".csv,.tsv,.txt,text/csv", hidden: true });
    input.addEventListener("change", () => {
      if (input.files.length) this.open(input.files[0]);
      input.value = ""; // so that the same file can be chosen again
    });
    this.facts = make("p", "file-facts", "A CSV file whose first line names the columns, or a .txt file with a text per line. It is read in this browser.");
    this.choose = button("quiet", "Choose a file", () => input.click());
    this.column = select([], () => this.changed());
    this.second = select([], () => this.changed());
    this.firstColumn = field("choice", "Column of the texts", "scan-column", this.column);
    this.secondLine = field("choice", "Column of the second texts", "scan-second", this.second);
    this.columns = nest("div", "", this.firstColumn, this.secondLine);
    this.columns.hidden = true;
    return nest("div", "", nest("div", "drop", this.facts, this.choose, input), this.error, this.columns);
  }

  turn(source) {
    this.source = source;
    this.showSource();
    this.changed();
  }

  showSource() {
    for (const [name, box] of Object.entries(this.boxes)) box.hidden = name !== this.source;
  }

  async open(file) {
    this.error.hidden = true;
    this.table = null;
    try {
      this.table = /\.txt$/i.test(file.name) ? await linesOf(file) : await readTable(file);
    } catch (error) {
      this.error.textContent = error instanceof CsvError ? error.message : `The browser cannot read the file: ${error.message}`;
      this.error.hidden = false;
    }
    this.columns.hidden = !this.table || this.table.header.length < 2;
    this.choose.textContent = "Choose another file";
    this.facts.textContent = this.table ? `${file.name}: ${count(this.table.rows.length, "row")}` : "No rows were read.";
    if (this.table) this.offer();
    this.changed();
  }

  offer() {
    const { header } = this.table;
    for (const one of [this.column, this.second]) one.replaceChildren(...header.map((name, place) => make("option", "", name.trim() || `column ${amount(place + 1)}`)));
    this.column.selectedIndex = textColumn(this.table);
    const other = header.findIndex((name) => PAIR_NAMES.test(name.trim()) || QUERY_NAMES.test(name.trim()));
    this.second.selectedIndex = other >= 0 ? other : header.findIndex((_, place) => place !== this.column.selectedIndex);
  }
}

function area(placeholder) {
  const one = make("textarea", "");
  return Object.assign(one, { dir: "auto", autocomplete: "off", placeholder });
}

async function linesOf(file) {
  const lines = (await file.text()).split(/\r\n|\r|\n/).filter((line) => line.trim());
  if (!lines.length) throw new CsvError("There is no text in the file.");
  return { header: ["text"], rows: lines.map((line, place) => ({ line: place + 1, fields: [line] })) };
}

// So many of them, spread evenly over all, which needs no chance and gives the same ones again.
function sample(every, most) {
  if (every.length <= most) return every;
  return Array.from({ length: most }, (_, place) => every[Math.floor((place * every.length) / most)]);
}
