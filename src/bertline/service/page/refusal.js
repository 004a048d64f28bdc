// A refusal of the server as an element.

import { button, make, nest } from "./elements.js";

// again: called by its button, which is there if the same may succeed later.
export function refused({ title, message, again: worthIt }, again) {
  const box = nest("div", "error", make("p", "error-title", title), make("p", "", message));
  if (worthIt && again) box.append(button("quiet", "Try again", again));
  box.setAttribute("role", "alert");
  return box;
}
