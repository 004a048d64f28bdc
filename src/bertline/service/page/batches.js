// Which rows go into the next request: as many as the server liked the last time, and no more than fit into one body.

const FIRST_ROWS = 16;
const QUICK_MS = 400; // a batch that took less is followed by a larger one
const SLOW_MS = 1600; // one that took more, by a smaller one: the progress shall move
const BYTES = 3; // of UTF-8 per UTF-16 unit of a JSON string, at most
const OVERHEAD_BYTES = 1024; // of a body around its texts

export class Batches {
  constructor(rows, { max_batch_texts, max_body_bytes }) {
    Object.assign(this, { rows, next: 0, returned: [], most: max_batch_texts, bytes: max_body_bytes });
    this.size = Math.min(FIRST_ROWS, this.most);
  }

  // Rows in their order, empty when there are no more.
  take() {
    const returned = this.returned.pop();
    if (returned) return returned;
    const from = this.next;
    let bytes = OVERHEAD_BYTES;
    while (this.next < this.rows.length && this.next - from < this.size) {
      bytes += BYTES * JSON.stringify(this.rows[this.next].text).length + 1;
      if (bytes > this.bytes && this.next > from) break;
      this.next += 1;
    }
    return this.rows.slice(from, this.next);
  }

  // These come first, before anything else.
  giveBack(rows) {
    if (rows.length) this.returned.push(rows);
  }

  halve(rows) {
    const middle = rows.length >> 1;
    this.size = Math.max(1, middle);
    this.giveBack(rows.slice(middle));
    this.giveBack(rows.slice(0, middle));
  }

  took(ms) {
    if (ms < QUICK_MS) this.size = Math.min(2 * this.size, this.most);
    else if (ms > SLOW_MS) this.size = Math.max(1, this.size >> 1);
  }
}
