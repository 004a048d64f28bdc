from __future__ import annotations

import re
from random import Random

from bertline.lifecycle.probes.additions import CLAUSES, address, clause, ended, handle
from bertline.lifecycle.probes.change import Draw

DRAW = Draw(Random(0), lambda word: False)


def test_what_is_added_stands_apart() -> None:
    assert re.fullmatch(r"A film\. https://example\.com/\w{6}", address("A film. ", DRAW))
    assert re.fullmatch(r"@\w{6} A film\.", handle(" A film.", DRAW))
    assert clause("A film", DRAW) in [f"A film. {one}" for one in CLAUSES]
    assert ended("A “film”") == "A “film”"
