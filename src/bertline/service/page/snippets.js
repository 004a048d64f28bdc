// A request as code. Texts are data, so they are quoted by the rules of each language.

// A JSON string is also a valid string of Python and JavaScript.
function literal(value, step, indent = "") {
  const inside = indent + step;
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[\n${value.map((one) => `${inside}${literal(one, step, inside)},\n`).join("")}${indent}]`;
  const entries = Object.entries(value).map(([key, one]) => `${inside}${JSON.stringify(key)}: ${literal(one, step, inside)},\n`);
  return `{\n${entries.join("")}${indent}}`;
}

// In single quotes, a POSIX shell has no escapes, so a quote is placed outside of them.
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// The fields of an answer that a program prints, by the model's problem or task; of other tasks all.
const PRINTED = {
  single: ["label", "probabilities"],
  several: ["labels", "probabilities"],
  number: ["number"],
  tag: ["entities"],
  fill: ["filled", "masks"],
  rank: ["score"],
  embed: ["embedding"],
};
export const printed = ({ task }) => PRINTED[task.problem ?? task.task] ?? [];

export const SNIPPETS = {
  curl: (url, body) => `curl ${shell(url)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${shell(JSON.stringify(body))}`,

  python: (url, body, fields) => `import json
import urllib.request

body = ${literal(body, "    ")}
request = urllib.request.Request(
    ${JSON.stringify(url)},
    data=json.dumps(body).encode(),
    headers={"Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as response:
    answer = json.load(response)
for prediction in answer["predictions"]:
    print(${fields.map((field) => `prediction[${JSON.stringify(field)}]`).join(", ") || "prediction"})`,

  javascript: (url, body, fields) => `const response = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(${literal(body, "  ", "  ")}),
});
const answer = await response.json();
for (const prediction of answer.predictions) {
  console.log(${fields.map((field) => `prediction.${field}`).join(", ") || "prediction"});
}`,
};
