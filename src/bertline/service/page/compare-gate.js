// What a gate said of one of two versions: the verdict that the registry has kept, with every check.

import { get } from "./api.js";
import { checkTable } from "./compare-results.js";
import { make, nest } from "./elements.js";
import { count, moment } from "./words.js";

const DIGITS = 12; // of a digest, as versions are named elsewhere
const HEADLINES = {
  yes: (one, act) => `Yes: ${one} may ${act}`,
  no: (one, act) => `No: ${one} may not ${act}`,
  undecided: (one, act) => `Undecided: it cannot be told yet whether ${one} may ${act}`,
};
const SIGNED = {
  unsigned: () => "unsigned",
  unverified: (keys) => `signed by key ${keys}, which this server cannot verify`,
  verified: (keys) => `signed by key ${keys}, verified`,
  wrong: (keys) => `its signature by key ${keys} is wrong`,
};

// All verdicts on two versions; null where the server has no registry.
export async function verdictsOn(sides) {
  const names = [...new Set(sides.map(({ model }) => model))];
  const found = await Promise.all(names.map((name) => get(`/v1/models/${encodeURIComponent(name)}/verdicts`)));
  return found.some(({ verdicts }) => verdicts === null) ? null : found.flatMap(({ verdicts }) => verdicts);
}

// The content of the card: of B against A, else of A against B, else of either against a third one.
export function drawGate(verdicts, [first, second]) {
  const whole = verdicts.filter(({ changed }) => !changed);
  const on = (one, other) => whole.find(({ challenger, champion }) => challenger === one.digest && (!other || champion === other.digest));
  const broken = verdicts.filter(({ changed, challenger }) => changed && [first, second].some(({ digest }) => digest === challenger)).map(warning);
  const each = [["B", "A", second, first], ["A", "B", first, second]];
  for (const [one, other, judged, against] of each) {
    const found = on(judged, against);
    if (found) return [...broken, ...drawn(found, HEADLINES[found.decision](one, `replace ${other}`))];
  }
  for (const [one, , judged] of each) {
    const found = on(judged);
    if (found) return [...broken, ...drawn(found, HEADLINES[found.decision](one, found.champion ? "replace another version" : "become the first champion"), third(found, one))];
  }
  return [...broken, make("p", "soft", "The registry has no verdict on these two. bertline gate compares them and writes one; it is kept when the version is promoted, tried or added with it.")];
}

function warning({ hash }) {
  return nest("p", "cut", "The verdict ", make("code", "", hash.slice(0, DIGITS)), " was changed in the registry after it was written: do not rely on it.");
}

function third({ champion }, one) {
  if (!champion) return `${one} was judged without a champion.`;
  return nest("span", "", `${one} was not judged against the other one here, but against `, make("code", "", champion.slice(0, DIGITS)), ".");
}

function drawn({ decision, created, rows, hash, checks, signature, signed_by: keys }, headline, about) {
  const facts = [moment(created), ...(rows === null ? [] : [count(rows, "row")])].join(" · ");
  return [
    make("p", `verdict says-${decision}`, headline),
    ...(about ? [nest("p", "cut", about)] : []),
    ...(checks.length ? [checkTable("Checks of the verdict", checks)] : [make("p", "soft", "It lists no checks.")]),
    nest("p", "note", `${facts} · verdict `, make("code", "", hash.slice(0, DIGITS)), `, as the registry has kept it, ${SIGNED[signature](keys.join(", "))}`),
  ];
}
