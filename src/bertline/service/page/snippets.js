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
