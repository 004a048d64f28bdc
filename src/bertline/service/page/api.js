// Calls the service. Every failure becomes a Refusal with a message for people.

const GONE = "The server does not answer. Is it still running? Start it again with bertline serve.";
// By code or by status.
const TITLES = {
  401: "Not allowed",
  403: "Not allowed",
  404: "No such model",
  413: "Too much for one request",
  422: "This text was not accepted",
  429: "The server is busy",
  not_ready: "The model is not ready",
  504: "The answer took too long",
};

// Of errors that come as a line, after a response has begun.
const STATUSES = { too_many_texts: 422, invalid_text: 422, overloaded: 429, rate_limited: 429, quota_exceeded: 429, worker_lost: 503, deadline: 504 };

export class Refusal extends Error {
  // status 0: no response. code: of the server. retry_s: seconds to wait, from Retry-After; null without it.
  constructor(title, message, { status = 0, code = null, field = null, retry_s = null, again = false } = {}) {
    super(message);
    Object.assign(this, { title, status, code, field, retry_s, again });
  }

  // Index of the text at fault, or undefined.
  get place() {
    const place = /^texts\[(\d+)\](?:\.text_pair)?$/.exec(this.field ?? "")?.[1];
    return place && Number(place);
  }

  // The message with another name of the field: "texts[3] is empty" becomes "Line 4 is empty".
  about(name) {
    const from = /^texts?\b/.test(this.field ?? "") ? this.message.indexOf(this.field) : -1;
    if (from < 0) return this.message;
    const words = from ? name : name[0].toUpperCase() + name.slice(1);
    return this.message.slice(0, from) + words + this.message.slice(from + this.field.length);
  }
}

// The URL of a path of this service, behind any prefix of a proxy.
export const address = (path) => new URL(`..${path}`, import.meta.url).href;

export async function models() {
  return (await call("/v1/models", {})).body;
}

// took_ms has the times that the server measured, and the total that this browser measured.
export async function predict(request, signal) {
  const began_ms = performance.now();
  const { body, headers } = await call("/v1/predict", posting(request, signal));
  const took_ms = { ...timings(headers.get("Server-Timing") ?? ""), total: performance.now() - began_ms };
  return { predictions: body.predictions, version: body.model.version, took_ms };
}

// The shares of words in an answer, with the time that this browser measured.
export async function explain(request, signal) {
  const began_ms = performance.now();
  const { body } = await call("/v1/explain", posting(request, signal));
  return { ...body, took_ms: { total: performance.now() - began_ms } };
}

// The body of a response. query: names and values; those that are undefined are left out.
export async function get(path, query = {}, signal) {
  const given = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined));
  return (await call(given.size ? `${path}?${given}` : path, { signal })).body;
}

// The server's metrics, as text.
export async function metricsText() {
  const response = await fetch(address("/metrics"), { cache: "no-store", headers: { Accept: "text/plain" } });
  if (!response.ok) throw refusalOf(response, (await response.json().catch(() => ({}))).error ?? {});
  return response.text();
}

export const send = async (method, path) => (await call(path, { method })).body;

export const post = async (path, request, signal) => (await call(path, posting(request, signal))).body;

// Posts a request whose response is lines of JSON; each goes to onLine. The response may also be an error of the usual kind,
// and so may a line.
export async function postLines(path, request, signal, onLine) {
  const options = posting(request, signal);
  options.headers.Accept = "application/x-ndjson";
  const response = await reached(path, options);
  if (!response.ok) throw refusalOf(response, (await response.json().catch(() => ({}))).error ?? {});
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new Refusal("No connection", GONE, { again: true });
    });
    if (done) return;
    const lines = (text + decoder.decode(value, { stream: true })).split("\n");
    text = lines.pop();
    for (const line of lines) {
      const one = JSON.parse(line);
      if (one.error) throw refusalOf({ status: STATUSES[one.error.code] ?? 500, headers: new Headers() }, one.error);
      onLine(one);
    }
  }
}

const posting = (request, signal) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(request),
  signal,
});

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

async function reached(path, options) {
  try {
    return await fetch(address(path), { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("No connection", GONE, { again: true });
  }
}

async function call(path, options) {
  const response = await reached(path, options);
  let body;
  try {
    body = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (response.ok) throw new Refusal("No answer", "The response did not come from this service.", { again: true });
  }
  if (response.ok) return { body, headers: response.headers };
  throw refusalOf(response, body?.error ?? {});
}

function refusalOf({ status, headers }, { code, message, field = null }) {
  const title = TITLES[code] ?? TITLES[status] ?? (status >= 500 ? "The server failed" : "This request was not accepted");
  const retry_s = retryAfter_s(headers.get("Retry-After"));
  const again = status >= 500 || status === 429 || status === 404;
  return new Refusal(title, message ?? `The server refused with status ${status}.`, { status, code, field, retry_s, again });
}
