"""A run that is requested again after it finished: its output says what it was made of, so nothing is done twice.

A Kubernetes Job that is applied twice, or that was lost after its last step, runs the same command on the same volume.
If the output there is that of the same data, settings and versions, the command has nothing left to do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bertline import __version__
from bertline.errors import TrainingError
from bertline.statistics.intervals import Estimate

RUN = "run.json"

Headline = Iterable[tuple[str, Estimate]]


@dataclass(frozen=True)
class Finished:
    """An output that the same command wrote before.

    Attributes:
        out: its directory.
        title: what was measured on, such as ``1,066 test rows``.
        figures: the headline figures by name.
        record: every figure as plain JSON values, where the output has them.
    """

    out: Path
    title: str
    figures: tuple[tuple[str, Estimate], ...]
    record: Mapping[str, Any]

    def headline(self) -> list[tuple[str, Estimate]]:
        """The figures by name, with their intervals."""
        return [*self.figures]

    @property
    def sentence(self) -> str:
        """For the user."""
        return f"{self.out} is finished already: a run with the same data, settings and versions wrote it"


class AlreadyFinished(Exception):
    """Ends a recipe that has nothing left to do; ``Job`` returns what it carries.

    Args:
        finished: the output.
    """

    def __init__(self, finished: Finished) -> None:
        super().__init__(finished.sentence)
        self.finished = finished


def with_versions(identity: Mapping[str, Any]) -> dict[str, Any]:
    """What a run is, with the versions that decide its result."""
    return {**identity, "bertline version": __version__, "torch version": version("torch")}


def run_record(identity: Mapping[str, Any], title: str, figures: Headline, more: Mapping[str, Any]) -> str:
    """The content of ``run.json``.

    Args:
        identity: whatever another run must share to have the same result, by name; without versions.
        title: what was measured on.
        figures: the headline.
        more: figures that no other file of the output has.
    """
    figures_json = {name: one.to_json() for name, one in figures}
    content = {"identity": with_versions(identity), "title": title, "figures": figures_json, "more": dict(more)}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_run(directory: Path) -> Mapping[str, Any] | None:
    """The ``run.json`` of a directory; None if it has none, as outputs of earlier versions."""
    try:
        content = json.loads((directory / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and {"identity", "title", "figures", "more"} <= content.keys() else None


def check_same_run(out: Path, what: str, before: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    """Check that a finished run was what is requested now.

    Args:
        out: its output.
        what: that is, with its article.
        before: the identity in its ``run.json``.
        identity: of the run that is requested, without versions.

    Raises:
        TrainingError: it had other data, settings or versions; they are named.
    """
    now = json.loads(json.dumps(with_versions(identity)))
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if changed:
        raise TrainingError(
            f"{out} already holds {what}, and its run had another {', '.join(changed)}: choose another --out, or pass "
            "--overwrite to replace it"
        )


def figures_of(record: Mapping[str, Any]) -> tuple[tuple[str, Estimate], ...]:
    """The headline in a ``run.json``."""
    return tuple((name, Estimate(**one)) for name, one in record["figures"].items())
