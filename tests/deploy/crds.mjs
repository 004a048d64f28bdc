// Validates objects of operators' kinds with the schemas of their packages: a JSON array on standard input; prints one
// line for each fault, and fails for a kind that it does not know.
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const PACKAGES = {
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
  "gateway.networking.k8s.io": "gateway-api",
  "external-secrets.io": "external-secrets",
};
let text = "";
for await (const chunk of process.stdin) text += chunk;
for (const one of JSON.parse(text)) {
  const [group, version] = one.apiVersion.split("/");
  const file = join(process.argv[2], "node_modules/@kubernetes-models", PACKAGES[group], group, version, `${one.kind}.js`);
  const kind = (await import(pathToFileURL(file)))[one.kind];
  try {
    new kind(one).validate();
  } catch (error) {
    console.log(`${one.kind} ${one.metadata.name}: ${error.message}`);
  }
}
