// Reads a file as a table and writes the scored table; both yield to the page in between.

import { CsvError, dialectOf, records, written } from "./csv.js";

const SLICE_MS = 12; // of work at a time, so that the page drops no frame
const PART = 2 ** 18; // characters of a file that are encoded at a time
const LARGEST_BYTES = 256 * 2 ** 20; // browsers limit strings to 512 Mi characters
const TEXT_NAMES = /^(texts?|sentences?|reviews?|comments?|messages?|content|body|documents?|description|tweets?|utterances?|phrases?|summary|titles?)$/i;

// Yields to the page after each SLICE_MS of work: for (…) { …; await pause(); }
export function pausing() {
  let since_ms = performance.now();
  return async () => {
    if (performance.now() - since_ms < SLICE_MS) return;
    // A message arrives at once; a timer takes four milliseconds or, in a hidden tab, a second.
    await new Promise((go) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => { port1.close(); go(); };
      port2.postMessage(null);
    });
    since_ms = performance.now();
  };
}

// Returns { name, encoding, dialect, header, rows }; a row is { line, fields } as in the file.
export async function readTable(file) {
  if (file.size > LARGEST_BYTES) throw new CsvError("The file has more than 256 MiB: split it, or use bertline predict.");
  const { text, encoding } = await decoded(file);
  if (text.includes("\0")) throw new CsvError("This is not a text file: save the table as CSV in UTF-8.");
  const dialect = dialectOf(text);
  const rows = [];
  const pause = pausing();
  for (const record of records(text, dialect.delimiter)) {
    rows.push(record);
    await pause();
  }
  if (rows.length < 2) throw new CsvError("There is nothing to score: the file needs a line of column names and a row.");
  return { name: file.name, encoding, dialect, header: rows.shift().fields, rows };
}

// UTF-8, or UTF-16 with its byte order mark; all else is taken for a Windows spreadsheet.
async function decoded(file) {
  const head = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (head[0] === 0xff && head[1] === 0xfe) return { text: await decodedAs(file, "utf-16le"), encoding: "UTF-16" };
  try {
    return { text: await decodedAs(file, "utf-8"), encoding: "UTF-8" };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { text: await decodedAs(file, "windows-1252"), encoding: "Windows-1252" };
  }
}

async function decodedAs(file, encoding) {
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  const reader = file.stream().getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
  }
}

// The first column with a typical name for texts, else the one whose first rows are longest.
export function textColumn({ header, rows }) {
  const named = header.findIndex((name) => TEXT_NAMES.test(name.trim()));
  if (named >= 0) return named;
  const lengths = header.map((_, place) => rows.slice(0, 50).reduce((sum, { fields }) => sum + (fields[place]?.length ?? 0), 0));
  return lengths.indexOf(Math.max(...lengths));
}

// Rows to score: { line, text, error }; error is a fault of the row itself.
export function tasks({ header, rows }, column) {
  return rows.map(({ line, fields }) => ({ line, text: fields[column] ?? "", error: misshapen(fields.length, header.length) }));
}

function misshapen(fields, columns) {
  if (fields === columns) return "";
  const hint = fields > columns ? "quote the texts that contain the delimiter" : "complete the line";
  return `The line has ${fields} fields and the header ${columns}: ${hint}.`;
}

// The file with the columns label, probability and error at the end, in its own dialect.
export async function scoredFile({ header, rows, dialect }, scored) {
  const pause = pausing();
  const parts = [];
  let part = dialect.mark + written([...header, ...addedNames(header)], dialect);
  for (const [place, { fields }] of rows.entries()) {
    const { label = "", probability = "", error } = scored[place];
    part += written([...fitted(fields, header.length, dialect.delimiter), label, String(probability), error], dialect);
    if (part.length > PART) {
      parts.push(new Blob([part])); // in one piece, a large file would block the page
      part = "";
    }
    await pause();
  }
  return new Blob([...parts, part], { type: "text/csv;charset=utf-8" });
}

// Names of the added columns; one that the file already has gets a prefix.
export function addedNames(header) {
  const taken = new Set(header.map((name) => name.trim().toLowerCase()));
  return ["label", "probability", "error"].map((name) => {
    let free = name;
    for (let number = 1; taken.has(free); number += 1) free = `predicted_${name}${number > 1 ? `_${number}` : ""}`;
    return free;
  });
}

// Exactly as many fields as the header: surplus ones are joined again, as if they had been quoted.
function fitted(fields, columns, delimiter) {
  if (fields.length <= columns) return [...fields, ...Array(columns - fields.length).fill("")];
  return [...fields.slice(0, columns - 1), fields.slice(columns - 1).join(delimiter)];
}
