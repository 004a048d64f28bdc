"""British and American spelling of the same word; words whose two spellings are also two meanings are left out."""

from __future__ import annotations

import re

from bertline.lifecycle.probes.change import Draw, like

_OUR = "colour favour honour humour flavour neighbour rumour behaviour harbour endeavour savour labour"
_ISE = "realis recognis organis apologis criticis emphasis memoris summaris characteris minimis maximis utilis civilis"
_ENDS_OUR = ("", "s", "ed", "ing", "ful", "fully", "less", "ite", "ites", "able", "ably", "er", "ers", "hood")
_ENDS_ISE = ("e", "ed", "ing", "ation", "ations")
# The others, British first.
_OTHERS = """
centre center, centres centers, centred centered, theatre theater, theatres theaters, fibre fiber, calibre caliber,
sombre somber, catalogue catalog, travelled traveled, travelling traveling, traveller traveler, travellers travelers,
cancelled canceled, cancelling canceling, modelling modeling, marvellous marvelous, jewellery jewelry, grey gray,
defence defense, offence offense, pretence pretense, sceptical skeptical, pyjamas pajamas, moustache mustache, cosy
cozy, aluminium aluminum, ageing aging, manoeuvre maneuver, plough plow, fulfil fulfill, skilful skillful, enrol enroll,
labelled labeled, signalling signaling, unravelled unraveled, woollen woolen, mould mold, smoulder smolder
"""
PAIRS = [
    *((one + end, one.replace("our", "or") + end) for one in _OUR.split() for end in _ENDS_OUR),
    *((one + end, one[:-1] + "z" + end) for one in _ISE.split() for end in _ENDS_ISE),
    *((one.split()[0], one.split()[1]) for one in _OTHERS.split(",")),
]
OTHER = dict(PAIRS) | {american: british for british, american in PAIRS}
_KNOWN = re.compile(rf"\b(?:{'|'.join(sorted(OTHER, key=len, reverse=True))})\b", re.IGNORECASE)


def spelling(text: str, draw: Draw) -> str | None:
    """Every word of the list in the other spelling; a name such as Labour stays.

    >>> from random import Random
    >>> spelling("A colorful theatre. Labour won.", Draw(Random(0), lambda word: False))
    'A colourful theater. Labour won.'
    """
    after = _KNOWN.sub(lambda match: _other(match, text), text)
    return after if after != text else None


def _other(match: re.Match[str], text: str) -> str:
    word = match[0]
    name = word[0].isupper() and word.lower() in ("labour", "labor", "defence", "defense")
    return word if name else like(word, OTHER[word.lower()])
