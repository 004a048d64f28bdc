// Tabs as assistive technology expects them (https://www.w3.org/WAI/ARIA/apg/patterns/tabs/): the Tab key reaches the
// selected one, and the arrow keys the others.

export function tabs(list, chosen) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const choose = (one) => {
    for (const tab of all) {
      tab.setAttribute("aria-selected", String(tab === one));
      tab.tabIndex = tab === one ? 0 : -1;
    }
    chosen(one);
  };
  for (const [place, tab] of all.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: -1 }[key];
      if (to === undefined) return;
      const other = all.at(to % all.length);
      choose(other);
      other.focus();
    });
  }
  choose(all[0]);
}
