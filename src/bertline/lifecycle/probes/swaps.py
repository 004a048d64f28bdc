"""First names, places and numbers exchanged for others of their kind.

The names are those of the Equity Evaluation Corpus (Kiritchenko and Mohammad 2018, "Examining gender and race bias in
two hundred sentiment analysis systems"): ten each that are frequent among African-American and among European-American
women and men in the United States, and no statement about a person who has one. A woman's name is exchanged for a
woman's and a man's for a man's, so that pronouns still fit, and always for one of the other list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from bertline.lifecycle.probes.change import Draw, Texts

_AFRICAN_AMERICAN_WOMEN = "Ebony Jasmine Lakisha Latisha Latoya Nichelle Shaniqua Shereen Tanisha Tia"
_EUROPEAN_AMERICAN_WOMEN = "Amanda Betsy Courtney Ellen Heather Katie Kristin Melanie Nancy Stephanie"
_AFRICAN_AMERICAN_MEN = "Alonzo Alphonse Darnell Jamel Jerome Lamar Leroy Malik Terrence Torrance"
_EUROPEAN_AMERICAN_MEN = "Adam Alan Andrew Frank Harry Jack Josh Justin Roger Ryan"
# More names that are recognised, and exchanged for one of either list; none that is a common word too.
_OTHER_WOMEN = """
Maria Anna Anne Emma Julia Laura Lisa Linda Karen Susan Sarah Sophie Emily Jessica Jennifer Michelle Rachel Rebecca
Elizabeth Patricia Barbara Fatima Aisha Priya Mei Yuki Ingrid Carmen Olga Leila
"""
_OTHER_MEN = """
John James Robert Michael David Richard Joseph Thomas Charles Daniel Matthew Anthony Paul Steven Kevin Brian George
Peter Ahmed Mohammed Carlos Juan Pedro Hiroshi Wei Ivan Lars Kwame Omar Raj
"""
_CITIES = """
London Berlin Madrid Vienna Dublin Lisbon Warsaw Prague Athens Boston Chicago Seattle Toronto Montreal Sydney Melbourne
Tokyo Osaka Seoul Mumbai Delhi Nairobi Lagos Accra Cairo Bogota Santiago
"""
_COUNTRIES = """
France Germany Italy Spain Poland Portugal Sweden Norway Greece Canada Mexico Brazil Argentina Peru Japan India
Indonesia Vietnam Kenya Nigeria Ghana Egypt Morocco Australia
"""
_OPENERS = """
a an the and but or so if when while as in at on to of for from by with is was are were then here there this that my his
her our their i it he she we they dear hello hi thanks mr mrs ms dr
"""
OPENERS = frozenset(_OPENERS.split())  # capitalised at the beginning of a sentence, and no part of a name
_NAME = re.compile(r"\b[A-Z][a-z]+\b")
_NUMBER = re.compile(r"(?<![\w.,:/$£€#%-])([1-9]\d{1,2})(?![\w%:/-]|[.,]\d)")
_RATED = re.compile(r"\b(?:out of|stars?|percent|points?|degrees?|rat(?:ed|ing|e)|scor(?:ed|ing|e)|gave|give|giving)\b")

Others = Mapping[str, Sequence[str]]


def _people() -> Others:
    others: dict[str, Sequence[str]] = {}
    for first, second, more in (
        (_AFRICAN_AMERICAN_WOMEN, _EUROPEAN_AMERICAN_WOMEN, _OTHER_WOMEN),
        (_AFRICAN_AMERICAN_MEN, _EUROPEAN_AMERICAN_MEN, _OTHER_MEN),
    ):
        one, other = first.split(), second.split()
        others |= dict.fromkeys(one, tuple(other)) | dict.fromkeys(other, tuple(one))
        others |= dict.fromkeys(more.split(), (*one, *other))
    return others


PEOPLE = _people()
PLACES: Others = {one: kind.split() for kind in (_CITIES, _COUNTRIES) for one in kind.split()}


def names(texts: Texts, draw: Draw) -> Texts | None:
    """Every first name that stands alone, exchanged alike in all texts; Jack Nicholson stays."""
    return _exchanged(texts, PEOPLE, draw)


def places(texts: Texts, draw: Draw) -> Texts | None:
    """Cities for cities and countries for countries, alike in all texts; New London stays."""
    return _exchanged(texts, PLACES, draw)


def _exchanged(texts: Texts, others: Others, draw: Draw) -> Texts | None:
    found = dict.fromkeys(match[0] for text in texts for match in _NAME.finditer(text) if match[0] in others)
    alone = [one for one in found if all(_stands_alone(text, one) for text in texts)]
    taken = {*found}
    chosen: dict[str, str] = {}
    for one in alone:
        free = [other for other in others[one] if other not in taken]
        if free:
            chosen[one] = draw.random.choice(free)
            taken.add(chosen[one])
    if not chosen:
        return None
    return tuple(_NAME.sub(lambda match: chosen.get(match[0], match[0]), text) for text in texts)


def _stands_alone(text: str, name: str) -> bool:
    """Nowhere part of a longer name."""
    return all(
        not _NAME.match(text[match.end() :].lstrip(" -")) and not _names_on(text[: match.start()])
        for match in re.finditer(rf"\b{name}\b", text)
    )


def _names_on(before: str) -> bool:
    """Whether a text ends with a capitalised word that may belong to the name behind it."""
    last = re.search(r"([A-Z][\w.]*)[ -]\Z", before)
    return last is not None and last[1].lower().rstrip(".") not in OPENERS


def numbers(texts: Texts, draw: Draw) -> Texts | None:
    """Whole numbers from 11 to 999 by a little, alike in all texts; nothing that rates, dates or prices anything."""
    if any(_RATED.search(text.lower()) for text in texts):
        return None
    found = dict.fromkeys(int(one) for text in texts for one in _NUMBER.findall(text) if int(one) > 10)
    chosen: dict[int, int] = {}
    for one in found:
        near = [
            one + step for step in (-3, -2, 2, 3) if one + step > 10 and one + step not in {*found, *chosen.values()}
        ]
        chosen[one] = draw.random.choice(near) if near else one
    after = tuple(_NUMBER.sub(_by(chosen), text) for text in texts)
    return after if after != texts else None


def _by(chosen: dict[int, int]) -> Callable[[re.Match[str]], str]:
    return lambda match: str(chosen.get(int(match[1]), int(match[1])))
