// A request as a program would send it. What was typed is data: each language gets it quoted by its own rules.

// A JSON string is a string of Python and of JavaScript too: both know all of its escapes.
function literal(value, step, indent = "") {
  const inside = indent + step;
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[\n${value.map((one) => `${inside}${literal(one, step, inside)},\n`).join("")}${indent}]`;
  const entries = Object.entries(value).map(([key, one]) => `${inside}${JSON.stringify(key)}: ${literal(one, step, inside)},\n`);
  return `{\n${entries.join("")}${indent}}`;
}

// Between single quotes a POSIX shell knows no escapes; the quote itself stands outside of them.
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export const SNIPPETS = {
  curl: (url, body) => `curl ${shell(url)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${shell(JSON.stringify(body))}`,

  python: (url, body) => `import json
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
    print(prediction["label"], prediction["probabilities"])`,

  javascript: (url, body) => `const response = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(${literal(body, "  ", "  ")}),
});
const answer = await response.json();
for (const prediction of answer.predictions) {
  console.log(prediction.label, prediction.probabilities);
}`,
};
