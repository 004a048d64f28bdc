"""Ways to write the same sentence: case, the mark at its end, and contractions."""

from __future__ import annotations

import re

from bertline.lifecycle.probes.change import Draw, like

SUBJECTS = r"(?:i|you|he|she|it|we|they|there|this|that)\b"  # after a contraction: a question, which has none apart
IRREGULAR = {"won't": "will not", "can't": "cannot", "shan't": "shall not"}
VERBS = ("do", "does", "did", "is", "are", "was", "were", "has", "have", "had", "would", "could", "should", "must")
CONTRACTED = {f"{verb}n't": f"{verb} not" for verb in VERBS} | IRREGULAR
# Without 's and 'd, each of which stands for two words.
PRONOUNS = {"i'm": "i am"}
PRONOUNS |= {f"{one}'re": f"{one} are" for one in ("you", "we", "they")}
PRONOUNS |= {f"{one}'ve": f"{one} have" for one in ("i", "you", "we", "they")}
PRONOUNS |= {f"{one}'ll": f"{one} will" for one in ("i", "you", "he", "she", "it", "we", "they")}
WHOLE = CONTRACTED | PRONOUNS
SHORT = {whole: short for short, whole in CONTRACTED.items()} | {"can not": "can't"}


def _any_of(forms: dict[str, str]) -> re.Pattern[str]:
    joined = "|".join(re.escape(one).replace("'", "['’]").replace(r"\ ", r"\s+") for one in forms)
    return re.compile(rf"\b(?:{joined})\b(?!\s+{SUBJECTS})", re.IGNORECASE)


_SHORT, _WHOLE = _any_of(SHORT), _any_of(WHOLE)


def lower(text: str, draw: Draw) -> str:
    """Without capital letters."""
    return text.lower()


def upper(text: str, draw: Draw) -> str:
    """In capital letters."""
    return text.upper()


def end_mark(text: str, draw: Draw) -> str | None:
    """Without the full stop at the end, or with one; a question stays."""
    stripped = text.rstrip()
    if stripped.endswith(("?", "…", "..", ":", ",")) or not stripped:
        return None
    return stripped[:-1] if stripped.endswith((".", "!")) else f"{stripped}."


def contraction(text: str, draw: Draw) -> str | None:
    """``do not`` as ``don't``; where nothing can be contracted, ``don't`` as ``do not``."""
    shorter = _SHORT.sub(lambda match: like(match[0], SHORT[" ".join(match[0].lower().split())]), text)
    if shorter != text:
        return shorter
    longer = _WHOLE.sub(_expanded, text)
    return longer if longer != text else None


def _expanded(match: re.Match[str]) -> str:
    whole = WHOLE[match[0].lower().replace("’", "'")]
    if whole.startswith("i "):
        return f"I{whole[1:]}"
    return like(match[0] if not match[0].isupper() else match[0].capitalize(), whole)
