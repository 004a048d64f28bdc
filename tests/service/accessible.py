"""What axe-core says of a page (https://github.com/dequelabs/axe-core): every rule, those of best practice too."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

LEAST_RULES = 15  # that apply to any page of ours

# In which each view is looked at every time, and by `make drill`. Colours are compared in both schemes every time.
SCHEMES = ("dark", pytest.param("light", marks=pytest.mark.drill))
WIDTHS = (320, pytest.param(2560, marks=pytest.mark.drill))
LOOKS = (("dark", 320), pytest.param("light", 2560, marks=pytest.mark.drill))


def violations(page: Page) -> list[str]:
    """The rules that the page breaks, each with the elements that do."""
    found = Axe().run(page, options={}).response
    assert len(found["passes"]) > LEAST_RULES, "axe did not look at the page"
    return [f"{one['id']}: {', '.join(str(node['target']) for node in one['nodes'])}" for one in found["violations"]]
