// Keeps the focus of the keyboard where people are: what had it may be gone after a change.

const HEADING = /^H[1-6]$/;

// Gives it to an element; screen readers read on from there. A heading is scrolled into view, what the pointer left is not.
export function focusOn(element) {
  if (element.tabIndex < 0 && !element.hasAttribute("tabindex")) element.tabIndex = -1;
  element.focus({ preventScroll: !HEADING.test(element.tagName) });
}

// Makes a change. If what has the focus is gone, hidden or disabled then, what heir() returns gets it.
export function keepFocus(change, heir) {
  const before = document.activeElement;
  change();
  const now = document.activeElement;
  if (!before || before === document.body || (now !== before && now !== document.body)) return;
  const there = before.isConnected && before.getClientRects().length > 0 && !before.disabled;
  if (!there) focusOn(heir());
  else if (now !== before) before.focus({ preventScroll: true }); // it was taken out and put back
}
