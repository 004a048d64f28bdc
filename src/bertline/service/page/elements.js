// Creates elements. Text is set as textContent, never as markup.

export const at = (id) => document.getElementById(id);

export function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export function button(className, text, pressed) {
  const one = make("button", className, text);
  one.type = "button";
  one.addEventListener("click", pressed);
  return one;
}
