// Talks to the service. Every failure becomes a Refusal with a sentence to show.

const GONE = "The server does not answer. Is it still running? Start it again with bertline serve.";
// By code, or else by status.
const TITLES = {
  404: "There is no such model",
  413: "This is too much for one request",
  422: "This text was not accepted",
  429: "The server is busy",
  not_ready: "The model is not ready",
  504: "The answer took too long",
};

export class Refusal extends Error {
  // status 0: no answer came. retry_s: what the server asks to wait, null where it does not say.
  constructor(title, message, { status = 0, field = null, retry_s = null, again = false } = {}) {
    super(message);
    Object.assign(this, { title, status, field, retry_s, again });
  }

  // Which of the texts it is about, or undefined.
  get place() {
    const place = /^texts\[(\d+)\]$/.exec(this.field ?? "")?.[1];
    return place && Number(place);
  }

  // The message with another name for the field: "texts[3] is empty" to "Line 4 is empty".
  about(name) {
    const from = /^texts?\b/.test(this.field ?? "") ? this.message.indexOf(this.field) : -1;
    if (from < 0) return this.message;
    const words = from ? name : name[0].toUpperCase() + name.slice(1);
    return this.message.slice(0, from) + words + this.message.slice(from + this.field.length);
  }
}

// The address of a path of this service, below whatever prefix a proxy shows it.
export const address = (path) => new URL(`..${path}`, import.meta.url).href;

export async function models() {
  return (await call("/v1/models", {})).body;
}

// asked is the body of the request. took_ms has, besides what the server measured, the total as this browser saw it.
export async function predict(asked, signal) {
  const began_ms = performance.now();
  const { body, headers } = await call("/v1/predict", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(asked),
    signal,
  });
  const took_ms = { ...timings(headers.get("Server-Timing") ?? ""), total: performance.now() - began_ms };
  return { predictions: body.predictions, version: body.model.version, took_ms };
}

// "waiting;dur=0.10, inference;dur=21.40" to { waiting: 0.1, inference: 21.4 } (https://www.w3.org/TR/server-timing/)
export function timings(header) {
  return Object.fromEntries([...header.matchAll(/([\w-]+);dur=([\d.]+)/g)].map(([, name, ms]) => [name, Number(ms)]));
}

// Retry-After is seconds or a date (RFC 9110, section 10.2.3).
export function retryAfter_s(header, now_ms = Date.now()) {
  if (!header) return null;
  const wait_s = /^\s*\d+\s*$/.test(header) ? Number(header) : Math.ceil((Date.parse(header) - now_ms) / 1000);
  return Number.isFinite(wait_s) ? Math.max(0, wait_s) : null;
}

async function call(path, options) {
  let response, body;
  try {
    response = await fetch(address(path), { cache: "no-store", ...options });
    body = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (!response) throw new Refusal("No connection", GONE, { again: true });
    if (response.ok) throw new Refusal("No answer", "What came is no answer of this service.", { again: true });
  }
  if (response.ok) return { body, headers: response.headers };
  throw refusalOf(response, body?.error ?? {});
}

function refusalOf({ status, headers }, { code, message, field = null }) {
  const title = TITLES[code] ?? TITLES[status] ?? (status >= 500 ? "The server failed" : "This request was not accepted");
  const retry_s = retryAfter_s(headers.get("Retry-After"));
  const again = status >= 500 || status === 429 || status === 404;
  return new Refusal(title, message ?? `The server refused with status ${status}.`, { status, field, retry_s, again });
}
