// Talks to the service. Every failure becomes a Refusal with a sentence to show.

const GONE = "The server does not answer. Is it still running? Start it again with bertline serve.";

export class Refusal extends Error {
  constructor(title, message, again) {
    super(message);
    this.title = title;
    this.again = again; // whether the same request could succeed later
  }
}

export async function models() {
  return (await call("/v1/models", {})).body;
}

// One text to { prediction, took_ms, model_ms }; model_ms is null where the browser hides the header.
export async function predict(text, model, signal) {
  const began_ms = performance.now();
  const { body, headers } = await call("/v1/predict", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text, model }),
    signal,
  });
  const inference = /inference;dur=([\d.]+)/.exec(headers.get("Server-Timing") ?? "");
  return {
    prediction: body.predictions[0],
    took_ms: performance.now() - began_ms,
    model_ms: inference && Number(inference[1]),
  };
}

async function call(path, options) {
  let response, body;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
    body = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (!response) throw new Refusal("No connection", GONE, true);
    throw new Refusal("No answer", `The server sent something else than an answer (status ${response.status}).`, true);
  }
  if (response.ok) return { body, headers: response.headers };
  const message = body.error?.message ?? `The server refused with status ${response.status}.`;
  const server = response.status >= 500;
  throw new Refusal(server ? "The server failed" : "This text was not accepted", message, server);
}
