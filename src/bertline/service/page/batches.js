// Selects the rows of the next request: their number adapts to the server's speed, within the limit of a body.

const FIRST_ROWS = 16;
const QUICK_MS = 400; // after a faster batch, the next one is larger
const SLOW_MS = 1600; // after a slower batch, the next one is smaller, so that progress is visible
const BYTES = 3; // at most, per UTF-16 unit of a JSON string
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

  // Rows that were not answered are the next ones.
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
