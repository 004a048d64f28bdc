// Reads and writes CSV (RFC 4180) and its variants of spreadsheets: delimiters, byte order marks, line endings.

const DELIMITERS = [",", ";", "\t"];
const BREAK = /\r\n|\r|\n/g;

export class CsvError extends Error {}

// The records of a text as { line, fields }; line is the first line of a record, from 1. Empty lines are skipped.
export function* records(text, delimiter = ",") {
  const plain = new RegExp(`[^${delimiter}\r\n]*`, "y");
  let at = text.startsWith("\ufeff") ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const record = { line, fields: [] };
    const first = at;
    for (;;) {
      let field = "";
      if (text[at] === '"') {
        [field, at] = quoted(text, at, line);
        line += field.match(BREAK)?.length ?? 0;
      }
      plain.lastIndex = at; // the whole field, or characters after its closing quote
      field += plain.exec(text)[0];
      at = plain.lastIndex;
      record.fields.push(field);
      if (text[at] !== delimiter) break;
      at += 1;
    }
    const empty = at === first;
    if (at < text.length) {
      at += text.startsWith("\r\n", at) ? 2 : 1;
      line += 1;
    }
    if (!empty) yield record;
  }
}

function quoted(text, opening, line) {
  let field = "";
  for (let from = opening + 1; ;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) throw new CsvError(`The quote that opens in line ${line} is never closed.`);
    field += text.slice(from, quote);
    if (text[quote + 1] !== '"') return [field, quote + 1];
    field += '"';
    from = quote + 2;
  }
}

// The delimiter, line ending and byte order mark of a text.
export function dialectOf(text) {
  const widths = DELIMITERS.map((one) => records(text, one).next().value?.fields.length ?? 0);
  return {
    delimiter: DELIMITERS[widths.indexOf(Math.max(...widths))],
    newline: text.match(/\r\n|\r|\n/)?.[0] ?? "\r\n",
    mark: text.startsWith("\ufeff") ? "\ufeff" : "",
  };
}

export function written(fields, { delimiter, newline }) {
  // A record of one empty field would be an empty line.
  if (fields.length === 1 && fields[0] === "") return `""${newline}`;
  return fields.map((field) => quotedIfNeeded(field, delimiter)).join(delimiter) + newline;
}

function quotedIfNeeded(field, delimiter) {
  if (!/["\r\n]/.test(field) && !field.includes(delimiter)) return field;
  return `"${field.replaceAll('"', '""')}"`;
}
