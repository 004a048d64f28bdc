// The views of the page: the hash of its address names the one that is shown. Try is part of index.html; each of the
// others is a module and a style sheet, loaded when the view is first shown.
//
// Such a module exports show(section, { model, limits, named, fillers, subject }), which fills its section. It is called
// when the view is shown and when another model is chosen. named: whether requests have to name the model. fillers: names of
// the models that fill in words. subject: the text that was answered last in Try, as { text, text_pair, label, span }, or
// null. The module may export hide(), which is called when another view is shown.

import { address } from "./api.js";
import { at, make } from "./elements.js";

const EXPLAINED = new Set(["classify", "rank", "tag"]);
const LABELLED = new Set(["classify", "rank"]);
const PROBED = EXPLAINED;

export const VIEWS = [
  { name: "try", title: "Try", serves: () => true },
  { name: "explain", title: "Explain", serves: ({ task }) => EXPLAINED.has(task.task) },
  { name: "anatomy", title: "Anatomy", serves: () => true },
  { name: "compare", title: "Compare", serves: () => true },
  { name: "label", title: "Label", serves: ({ task }) => LABELLED.has(task.task) },
  { name: "scan", title: "Scan", serves: ({ task }) => PROBED.has(task.task) },
  { name: "watch", title: "Watch", serves: () => true },
];
const [TRY] = VIEWS;

let model = null;
let about = {}; // limits of the server, whether requests name the model, and the models that fill in words
let shown = null;
let subject = null;

export const serves = (name) => model !== null && VIEWS.some((view) => view.name === name && view.serves(model));

// Show the views that the server has for this model; null if there is no model.
export function offer(chosen, server = {}) {
  [model, about] = [chosen, server];
  subject = null;
  const views = VIEWS.filter((view) => model && view.serves(model));
  at("views").replaceChildren(...views.map(linkTo));
  at("views-nav").hidden = views.length < 2;
  turn({ focus: false });
}

// What the next view is to look at: { text, text_pair, label, span }, of which only the text is always there.
export const hand = (next) => { subject = next; };

export function go(name) {
  if (location.hash === `#${name}`) turn({ focus: true });
  else location.hash = name; // the browser's Back leads to where it was asked
}

export function startViews() {
  at("view-try").hidden = wanted() !== TRY; // what another view covers does not flash up first
  window.addEventListener("hashchange", () => turn({ focus: true }));
}

function linkTo({ name, title }) {
  const link = make("a", "", title);
  link.href = `#${name}`;
  link.dataset.view = name;
  const item = make("li", "");
  item.append(link);
  return item;
}

const wanted = () => VIEWS.find(({ name }) => location.hash === `#${name}`) ?? TRY;

async function turn({ focus }) {
  const view = model && wanted().serves(model) ? wanted() : TRY;
  const before = shown;
  if (before && before !== view) before.loaded?.hide?.();
  shown = view;
  for (const { name } of VIEWS) if (at(`view-${name}`)) at(`view-${name}`).hidden = name !== view.name;
  for (const link of at("views").querySelectorAll("a")) {
    if (link.dataset.view === view.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (model) document.title = [...(view === TRY ? [] : [view.title]), model.name, "bertline"].join(" · ");
  const section = sectionOf(view);
  if (focus && before !== view) {
    section.focus({ preventScroll: true }); // screen readers read on from there
    scrollTo(0, 0);
  }
  if (view === TRY || !model) return;
  await load(view, section);
  if (shown === view && view.loaded) view.loaded.show(section, { ...about, model, subject });
}

function sectionOf({ name, title }) {
  let section = at(`view-${name}`);
  if (!section) {
    section = make("section", "view");
    Object.assign(section, { id: `view-${name}`, tabIndex: -1 });
    section.setAttribute("aria-label", title);
    at("view-try").parentElement.append(section);
  }
  return section;
}

// The module of a view, loaded once; a failure is shown, and tried again the next time.
async function load(view, section) {
  if (view.loaded) return;
  view.loading ??= Promise.all([import(`./${view.name}.js`), styled(address(`/page/${view.name}.css`))]);
  try {
    const [module] = await view.loading;
    if (!view.loaded) section.replaceChildren();
    view.loaded = module;
  } catch {
    view.loading = null;
    const message = make("p", "error", `${view.title} could not be loaded. Is the server still running? Reload the page to try again.`);
    message.setAttribute("role", "alert");
    section.replaceChildren(message);
  }
}

// Resolves when the style sheet is there, so that nothing is shown without its style.
function styled(href) {
  return new Promise((resolve, reject) => {
    const link = document.createElement("link");
    Object.assign(link, { rel: "stylesheet", href, onload: resolve, onerror: reject });
    document.head.append(link);
  });
}
