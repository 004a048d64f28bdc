"""What axe-core says of a page (https://github.com/dequelabs/axe-core): every rule, those of best practice too."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

LEAST_RULES = 15  # that apply to any page of ours


def violations(page: Page) -> list[str]:
    """The rules that the page breaks, each with the elements that do."""
    found = Axe().run(page, options={}).response
    assert len(found["passes"]) > LEAST_RULES, "axe did not look at the page"
    return [f"{one['id']}: {', '.join(str(node['target']) for node in one['nodes'])}" for one in found["violations"]]
