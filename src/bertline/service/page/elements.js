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

// A selection among [value, words].
export function select(options, changed = () => {}) {
  const one = make("select", "");
  one.append(...options.map(([value, words]) => Object.assign(make("option", "", words), { value })));
  one.addEventListener("change", changed);
  return one;
}
