// Numbers, shares and times for people.

const number = new Intl.NumberFormat("en");
const NARROW = "\u202f"; // a space that does not break

export const amount = (value) => number.format(value);
export const count = (value, noun) => `${amount(value)} ${noun}${value === 1 ? "" : "s"}`;

export const hundredths = (value) => `${value}${NARROW}%`;
export const rounded = (share, digits = 0) => hundredths((100 * share).toFixed(digits));

export function percent(share) {
  if (share > 0 && share < 0.0005) return `< ${hundredths(0.1)}`;
  if (share < 1 && share >= 0.9995) return `> ${hundredths(99.9)}`;
  return rounded(share, 1);
}

export function milliseconds(ms) {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  return ms < 9950 ? `${amount(Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export const seconds = (value) => (value < 0.95 ? milliseconds(1000 * value) : `${value < 9.95 ? value.toFixed(1) : amount(Math.round(value))} s`);

const moments = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
export const moment = (at) => moments.format(new Date(at)); // in the time zone of this browser

export function duration(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return count(Math.round(seconds), "second");
  return seconds < 5400 ? count(Math.round(seconds / 60), "minute") : count(Math.round(seconds / 3600), "hour");
}
