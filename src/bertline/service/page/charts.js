// Charts by uPlot (uplot/, MIT, https://github.com/leeoniya/uPlot), loaded by the first view that draws one. A chart is a
// picture with a sentence as its name; its numbers are always in a table beside or below it. Colours follow the page's.

import { address } from "./api.js";
import { make, nest } from "./elements.js";

const HEIGHT = 220;
const drawn = new Set(); // charts that are on the page
let loading = null;

const library = () => (loading ??= Promise.all([script(), style("uplot/uPlot.min.css"), style("charts.css")]).catch((error) => { loading = null; throw error; }));

function script() {
  const one = Object.assign(document.createElement("script"), { src: address("/page/uplot/uPlot.iife.min.js") });
  return attached(one);
}

function style(name) {
  return attached(Object.assign(document.createElement("link"), { rel: "stylesheet", href: address(`/page/${name}`) }));
}

const attached = (element) => new Promise((onload, onerror) => {
  document.head.append(Object.assign(element, { onload, onerror }));
});

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A figure with a chart. name: what a screen reader says. x: { title, range, values, splits } as uPlot
// takes them; time: values are Unix seconds; utc: whose days are those of UTC. y: the same. lines: { title,
// colour (of the page, as in --accent), values, dash, points, bars, width }. data: x values.
export function chart(name, { x, y, data, lines }) {
  const place = make("div", "plot");
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", name);
  const figure = nest("figure", "chart", place, legend(lines));
  library().then(() => draw(place, { x, y, data, lines }), () => place.replaceChildren(make("p", "soft", "The chart could not be loaded; the table has its numbers.")));
  return figure;
}

function legend(lines) {
  const named = lines.filter(({ title }) => title);
  return nest("figcaption", "keys-of", ...named.map(({ title, colour: own, dash, width }) => {
    const sign = make("span", width === 0 ? "sign dot" : dash ? "sign dashed" : "sign");
    sign.style.setProperty("--sign", `var(${own})`);
    return nest("span", "key-of", sign, title);
  }));
}

function draw(place, { x, y, data, lines }) {
  const font = `13px ${getComputedStyle(document.body).fontFamily}`;
  const axis = ({ title, values, splits, space }, size) => ({
    label: title, labelFont: font, font, size, labelSize: title ? 22 : 0, labelGap: 4, values, ...(splits && { splits }), ...(space && { space }),
    stroke: () => colour("--soft"),
    grid: { stroke: () => colour("--rule"), width: 1 },
    ticks: { stroke: () => colour("--rule"), width: 1 },
  });
  const plot = new globalThis.uPlot({
    width: Math.max(200, place.clientWidth), height: HEIGHT,
    ...(x.utc && { tzDate: (at_s) => globalThis.uPlot.tzDate(new Date(1000 * at_s), "Etc/UTC") }),
    scales: { x: { time: Boolean(x.time), range: x.range }, y: { range: y.range } },
    axes: [axis(x, 32), axis(y, 58)],
    legend: { show: false },
    cursor: { show: false },
    series: [{}, ...lines.map((one) => ({
      stroke: () => colour(one.colour),
      fill: one.bars ? () => colour(one.colour) : undefined,
      width: one.width ?? (one.bars ? 0 : 2),
      dash: one.dash,
      spanGaps: true,
      paths: one.bars ? globalThis.uPlot.paths.bars({ size: [0.8, 60], align: 1 }) : undefined,
      points: { show: Boolean(one.points), size: 7, fill: () => colour(one.colour) },
    }))],
  }, [data, ...lines.map(({ values }) => values)], place);
  const entry = { place, plot };
  drawn.add(entry);
  new ResizeObserver(() => {
    if (!place.isConnected) return forget(entry);
    if (place.clientWidth) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  }).observe(place);
}

function forget(entry) {
  drawn.delete(entry);
  entry.plot.destroy();
}

// Other colours when the system turns dark or light.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const { plot } of drawn) plot.redraw();
});
