// The current request as code.

import { address } from "./api.js";
import { at } from "./elements.js";
import { SNIPPETS } from "./snippets.js";
import { tabs } from "./tabs.js";

const SHOWN = 4000; // characters; the rest is only copied
const COPIED_MS = 1500;

let whole = "";
let language = "curl";
let body = {};
let fields = [];

// fields: of an answer, which the programs print.
export function showRequest(nextBody, nextFields) {
  [body, fields] = [nextBody, nextFields];
  whole = SNIPPETS[language](address("/v1/predict"), body, fields);
  at("code").textContent = whole.length > SHOWN ? `${whole.slice(0, SHOWN)}…` : whole;
  at("shortened").hidden = whole.length <= SHOWN;
}

export function startProgram() {
  tabs(at("languages"), (tab) => {
    language = tab.dataset.language;
    at("snippet").setAttribute("aria-labelledby", tab.id);
    showRequest(body, fields);
  });
  at("copy").hidden = !navigator.clipboard; // only on secure or local connections
  at("copy").addEventListener("click", copy);
}

async function copy() {
  try {
    await navigator.clipboard.writeText(whole);
    say("Copied");
  } catch {
    say("Not allowed"); // users can forbid it in their browser
  }
}

let timer;
function say(words) {
  clearTimeout(timer);
  at("copy").textContent = at("copied").textContent = words;
  timer = setTimeout(() => {
    at("copy").textContent = "Copy";
    at("copied").textContent = "";
  }, COPIED_MS);
}
