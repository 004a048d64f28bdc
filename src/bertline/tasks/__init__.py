"""Tasks: each is a folder that gives a network's outputs a meaning, found by name and imported part by part.

A folder has nine parts. ``spec``, ``answer``, ``watched``, ``feedback``, ``compared``, ``explained`` and ``probed``
need numpy alone, ``measure`` also statistics, and only ``learn`` needs torch, so that serving a model does not import
what trains it. A task that no table can train has no ``learn``, one whose answers are no numbers no ``explained``, and
one whose answers change with every change of a text no ``probed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

from bertline.tasks.contract import TaskSpec


@dataclass(frozen=True, slots=True)
class Task:
    """The parts of one task, each imported when it is first read."""

    name: str

    @property
    def spec(self) -> Any:
        """The task's part of a manifest: ``Spec``."""
        return self._part("spec")

    @property
    def answer(self) -> Any:
        """From arrays to answers: ``answers``."""
        return self._part("answer")

    @property
    def learns(self) -> bool:
        """Whether a table can train it: it has the part ``learn``."""
        return find_spec(f"{__name__}.{self.name}.learn") is not None

    @property
    def learn(self) -> Any:
        """The training objective: ``loss``, ``better``, ``initial_loss``."""
        return self._part("learn")

    @property
    def measure(self) -> Any:
        """Figures with their intervals: ``measure``, ``tune``."""
        return self._part("measure")

    @property
    def watched(self) -> Any:
        """Numbers of an answer whose distribution drift changes: ``columns``, ``ONE_UNIT``."""
        return self._part("watched")

    @property
    def feedback(self) -> Any:
        """Answers that are kept, and what people say of them: ``recorded``, ``target``, ``right``, ``columns`` …."""
        return self._part("feedback")

    @property
    def explains(self) -> bool:
        """Whether words can be given shares of its answers: it has the part ``explained``."""
        return find_spec(f"{__name__}.{self.name}.explained") is not None

    @property
    def explained(self) -> Any:
        """Numbers of an answer that words have shares of: ``names``, ``unit``, ``scores``, ``shown``."""
        return self._part("explained")

    @property
    def probes(self) -> bool:
        """Whether there are changes of a text that must not change the answer: it has the part ``probed``."""
        return find_spec(f"{__name__}.{self.name}.probed") is not None

    @property
    def probed(self) -> Any:
        """Answers to a text and to a changed one: ``same``, ``moved``, ``said``."""
        return self._part("probed")

    @property
    def compared(self) -> Any:
        """Whether two models agree on the same inputs: ``compared``."""
        return self._part("compared")

    def _part(self, part: str) -> Any:
        return import_module(f"{__name__}.{self.name}.{part}")


def names() -> tuple[str, ...]:
    """The tasks that are installed, in alphabetical order."""
    return _in(tuple(__path__))


@cache
def _in(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Cached, because every answer needs it and reading the folders takes 0.2 ms."""
    return tuple(sorted(module.name for module in iter_modules(folders) if module.ispkg))


def task(name: str) -> Task:
    """The task of a name.

    Raises:
        ValueError: the task is unknown.
    """
    if name not in names():
        raise ValueError(f"the task {name!r} is unknown; valid names: {', '.join(names())}")
    return Task(name)


def read_spec(content: object) -> TaskSpec:
    """A task's spec from the JSON of a manifest; a spec is returned as it is.

    Raises:
        ValueError: no object with a ``task``, an unknown task, or (pydantic's error) a wrong entry.
    """
    if isinstance(content, TaskSpec):
        return content
    if not isinstance(content, Mapping) or not isinstance(content.get("task"), str):
        raise ValueError("an object with the name of a task is expected")
    spec: TaskSpec = task(content["task"]).spec.Spec.model_validate(content)
    return spec
