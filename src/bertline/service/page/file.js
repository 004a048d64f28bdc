// The file to score: chosen, dropped or made of examples; and the column of its texts.

import { CsvError } from "./csv.js";
import { at, make } from "./elements.js";
import { readTable, textColumn } from "./table.js";
import { amount, count } from "./words.js";

const PREVIEWED = 3;
const EXCERPT = 200; // characters; longer ones do not fit on a line anyway

let table = null;
let reading = 0; // number of the last file; earlier ones are dropped
let changed = () => {};
let elsewhere = null;

// The table and the index of its text column, or null while there is no file.
export const chosenFile = () => table && { table, column: at("column").selectedIndex };

// Where a dropped file goes as long as another view is shown; null: to Try.
export const dropsTo = (handler) => { elsewhere = handler; };

// opened: called when a file is opened; onChange: when the table or the column changes.
export function startFile(opened, onChange) {
  changed = onChange;
  const take = (file) => {
    opened();
    open(file);
  };
  at("choose").addEventListener("click", () => at("file").click());
  at("file").addEventListener("change", ({ target }) => {
    if (target.files.length) take(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
  at("column").addEventListener("change", showColumn);
  takeDrops((file) => (elsewhere ?? take)(file));
}

// Accept drops anywhere: a file dropped beside the box would otherwise replace the page.
function takeDrops(take) {
  let inside = 0; // each element on the way has its own enter and leave
  const mark = () => document.documentElement.classList.toggle("dropping", inside > 0);
  const files = (event) => event.dataTransfer?.types.includes("Files");
  const on = (name, act) => addEventListener(name, (event) => {
    if (!files(event)) return;
    event.preventDefault();
    act(event);
    mark();
  });
  on("dragenter", () => { inside += 1; });
  on("dragleave", () => { inside -= 1; });
  on("dragover", () => {});
  on("drop", ({ dataTransfer }) => {
    inside = 0;
    if (dataTransfer.files.length) take(dataTransfer.files[0]);
  });
}

export async function open(file) {
  const mine = (reading += 1);
  at("file-error").hidden = true;
  at("file-name").textContent = file.name;
  at("file-facts").textContent = "Reading…";
  let read = null;
  let problem = "";
  try {
    read = await readTable(file);
  } catch (error) {
    problem = error instanceof CsvError ? error.message : `The browser cannot read the file: ${error.message}`;
  }
  if (mine !== reading) return;
  table = read;
  at("file-columns").hidden = !table;
  if (table) showTable();
  else {
    at("file-facts").textContent = "No rows were read.";
    at("file-error").textContent = problem;
    at("file-error").hidden = false;
  }
  at("choose").textContent = "Choose another file";
  changed();
}

function showTable() {
  const { header, rows, encoding } = table;
  at("file-facts").textContent = `${count(rows.length, "row")}, ${count(header.length, "column")}, ${encoding}`;
  at("column").replaceChildren(...header.map((name, place) => make("option", "", name.trim() || `column ${amount(place + 1)}`)));
  at("column").selectedIndex = textColumn(table);
  showColumn();
}

function showColumn() {
  const column = at("column").selectedIndex;
  const texts = table.rows.slice(0, PREVIEWED).map(({ fields }) => fields[column] ?? "");
  at("preview").replaceChildren(...texts.map((text) => make("li", "", text.slice(0, EXCERPT))));
  changed();
}
