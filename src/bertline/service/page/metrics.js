// Reads metrics in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/).

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

// All samples, as { name, labels, value }.
export function samplesOf(text) {
  return text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (!name) return [];
    return [{ name, labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, key, content]) => [key, content.replaceAll(/\\(.)/g, (_, one) => (one === "n" ? "\n" : one))])), value: Number(value) }];
  });
}

const fits = (labels, wanted) => Object.entries(wanted).every(([key, value]) => labels[key] === value);

export const sum = (samples, name, wanted = {}) => samples.reduce((total, one) => (one.name === name && fits(one.labels, wanted) ? total + one.value : total), 0);

// A quantile of a histogram, as its bucket's upper end; null without observations.
export function quantile(samples, name, share, wanted = {}) {
  const buckets = new Map();
  for (const one of samples) {
    if (one.name !== `${name}_bucket` || !fits(one.labels, wanted)) continue;
    const end = one.labels.le === "+Inf" ? Infinity : Number(one.labels.le);
    buckets.set(end, (buckets.get(end) ?? 0) + one.value);
  }
  const ends = [...buckets.keys()].sort((one, other) => one - other);
  const total = buckets.get(Infinity) ?? 0;
  return total ? ends.find((end) => buckets.get(end) >= share * total) : null;
}
