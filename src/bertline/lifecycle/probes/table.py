"""The table of probes. The command, the API, the page and the guide read it."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.errors import UsageError
from bertline.lifecycle.probes import additions, dialects, opinion, swaps, writing
from bertline.lifecycle.probes.change import Group, Probe, each
from bertline.lifecycle.probes.spelling import spelling
from bertline.lifecycle.probes.typos import missing, neighbouring_key, swapped, typo
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec

PROBES: tuple[Probe, ...] = (
    Probe(
        "typo: neighbouring key", "typos", "a letter replaced by the one beside it on the keyboard",
        typo(neighbouring_key),
    ),
    Probe("typo: swapped letters", "typos", "two neighbouring letters exchanged", typo(swapped)),
    Probe("typo: missing letter", "typos", "a letter left out", typo(missing)),
    Probe("lower case", "writing", "no capital letters", each(writing.lower)),
    Probe("upper case", "writing", "only capital letters", each(writing.upper)),
    Probe("end mark", "writing", "the full stop at the end left out, or added", each(writing.end_mark), likely=True),
    Probe("contraction", "writing", "“do not” as “don't”, or the other way round", each(writing.contraction)),
    Probe("spelling", "writing", "“colour” as “color”, or the other way round", each(spelling)),
    Probe("names", "names and numbers", "first names exchanged", swaps.names, likely=True, whole=True),
    Probe("places", "names and numbers", "cities and countries exchanged", swaps.places, likely=True, whole=True),
    Probe(
        "numbers", "names and numbers", "numbers a little larger or smaller", swaps.numbers,
        likely=True, whole=True, numbers=False,
    ),
    Probe("ain't", "dialects", "“isn't” as “ain't”, as in African-American English", each(dialects.aint)),
    Probe(
        "negative concord", "dialects", "“not … anything” as “not … nothing”, as in African-American English",
        each(dialects.negative_concord),
    ),
    Probe(
        "stative progressive", "dialects", "“I love it” as “I am loving it”, as in Indian English",
        each(dialects.stative_progressive),
    ),
    Probe("address added", "additions", "a web address at the end", each(additions.address), pairs=False),
    Probe("handle added", "additions", "a handle at the beginning", each(additions.handle), pairs=False),
    Probe(
        "clause added", "additions", "a sentence about nothing at the end", each(additions.clause),
        likely=True, pairs=False,
    ),
    Probe("negation", "opinion", "“is good” as “is not good”", opinion.negated, "direction", likely=True),
    Probe("praise added", "opinion", f"“{opinion.PRAISE}” at the end", opinion.praised, "direction"),
    Probe("blame added", "opinion", f"“{opinion.BLAME}” at the end", opinion.blamed, "direction"),
)  # fmt: skip
GROUPS: tuple[Group, ...] = tuple(dict.fromkeys(one.group for one in PROBES))


def probes_for(spec: TaskSpec, chosen: Sequence[str] = ()) -> tuple[Probe, ...]:
    """The probes that say something about a model.

    Args:
        spec: of the model.
        chosen: names of probes or groups; none is all.

    Raises:
        UsageError: the task has no answers that could break, or a name is unknown or does not fit the model.
    """
    if not task(spec.task).probes:
        raise UsageError(f"models of the task {spec.task} cannot be probed: use a classifier, a tagger or a ranker")
    fitting = [one for one in PROBES if one.fits(spec)]
    names = {*(one.name for one in PROBES), *GROUPS}
    for name in chosen:
        if name not in names:
            raise UsageError(
                f"there is no probe {name!r}: choose groups ({', '.join(GROUPS)}) or single probes "
                f"({', '.join(one.name for one in PROBES)})"
            )
        if not any(name in (one.name, one.group) for one in fitting):
            raise UsageError(f"the probe {name} says nothing about this model: leave it out")
    return tuple(one for one in fitting if not chosen or {one.name, one.group} & {*chosen})
