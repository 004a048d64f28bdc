// Creates elements. Text is set as textContent, never as markup.

export const at = (id) => document.getElementById(id);

export function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

// An element with children: elements or texts.
export function nest(tag, className, ...children) {
  const element = make(tag, className);
  element.append(...children);
  return element;
}

export function button(className, text, pressed) {
  const one = make("button", className, text);
  one.type = "button";
  one.addEventListener("click", pressed);
  return one;
}

// A line with a label and its control, which gets this id.
export function field(className, words, id, control) {
  const label = make("label", "", words);
  label.htmlFor = control.id = id;
  return nest("p", className, label, " ", control);
}

// The options of a selection, of [value, words].
export const options = (each) => each.map(([value, words]) => Object.assign(make("option", "", words), { value }));

// A selection among [value, words].
export function select(each, changed = () => {}) {
  const one = make("select", "");
  one.append(...options(each));
  one.addEventListener("change", changed);
  return one;
}

// Lets a form ask by its button, by Enter in a field, and by Ctrl+Enter in a text, whose Enter begins a line.
export function asks(form, ask) {
  const now = (event) => {
    event.preventDefault();
    ask();
  };
  form.noValidate = true;
  form.addEventListener("submit", now);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) now(event);
  });
}
