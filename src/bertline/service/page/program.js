// The request that is typed, as programs would send it.

import { address } from "./api.js";
import { at } from "./elements.js";
import { SNIPPETS } from "./snippets.js";
import { tabs } from "./tabs.js";

const SHOWN = 4000; // characters; the rest is only copied
const COPIED_MS = 1500;

let whole = "";
let language = "curl";
let body = {};

export function showRequest(asked) {
  body = asked;
  whole = SNIPPETS[language](address("/v1/predict"), body);
  at("code").textContent = whole.length > SHOWN ? `${whole.slice(0, SHOWN)}…` : whole;
  at("shortened").hidden = whole.length <= SHOWN;
}

export function startProgram() {
  tabs(at("languages"), (tab) => {
    language = tab.dataset.language;
    at("snippet").setAttribute("aria-labelledby", tab.id);
    showRequest(body);
  });
  at("copy").hidden = !navigator.clipboard; // only where the connection is secure or local
  at("copy").addEventListener("click", copy);
}

async function copy() {
  try {
    await navigator.clipboard.writeText(whole);
    say("Copied");
  } catch {
    say("Not allowed"); // a browser can be told that no page may
  }
}

let told;
function say(words) {
  clearTimeout(told);
  at("copy").textContent = at("copied").textContent = words;
  told = setTimeout(() => {
    at("copy").textContent = "Copy";
    at("copied").textContent = "";
  }, COPIED_MS);
}
