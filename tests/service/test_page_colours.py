"""The page's colours have the contrast that WCAG 2.2 asks for, in light and in dark."""

from __future__ import annotations

import re

import pytest

from bertline.service.app import PAGE

TEXT, GRAPHIC = 4.5, 3.0  # WCAG 2.2, success criteria 1.4.3 and 1.4.11
PAIRS = [
    *((ink, ground, TEXT) for ink in ("ink", "soft") for ground in ("ground", "card", "code-ground")),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-hover", TEXT),
    ("accent", "card", TEXT),
    ("cut-ink", "cut-ground", TEXT),
    ("error-ink", "error-ground", TEXT),
    ("error-ink", "card", TEXT),
    ("cut-ink", "ground", TEXT),
    ("soft", "track", TEXT),
    ("ink", "track", TEXT),
    ("edge", "track", GRAPHIC),
    *((line, ground, GRAPHIC) for line in ("edge", "accent") for ground in ("card", "ground")),
    *((bar, "track", GRAPHIC) for bar in ("bar", "accent")),
    *(("ink", share, TEXT) for share in ("for", "against")),
    *((f"{share}-line", ground, GRAPHIC) for share in ("for", "against") for ground in ("card", share)),
]


def palettes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\}", (PAGE / "page.css").read_text(encoding="utf-8"), re.DOTALL)
    found = {
        name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for name, block in (("light", light), ("dark", dark))
    }
    assert set(found["light"]) == set(found["dark"])
    return found


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_contrast(scheme: str, front: str, back: str, least: float) -> None:
    palette = palettes()[scheme]
    assert contrast(palette[front], palette[back]) >= least
