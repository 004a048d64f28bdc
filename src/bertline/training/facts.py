"""Facts about a table, by name, for the terminal, the report and the model card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from bertline.data.examples import Dataset, Example
from bertline.data.label_hints import label_hints
from bertline.data.labels import Labels
from bertline.data.target_columns import EntitiesColumn, LabelsColumn
from bertline.data.targets import names_of
from bertline.statistics.figures import how_many, percent
from bertline.tasks.classify.truth import SHOWN, counted
from bertline.tasks.contract import TaskSpec
from bertline.text import Reading, Truncation
from bertline.training.settings import TrainSettings

Fact = tuple[str, str]


def reading_facts(dataset: Dataset) -> list[Fact]:
    """Rows, columns, targets, spellings of labels, and skipped rows."""
    columns = ", ".join(
        f"{what} from {'columns' if isinstance(column, tuple) else 'column'} {_quoted(column)}"
        for what, column in _columns(dataset)
    )
    facts = [("Data", f"{how_many(len(dataset.examples), 'row')} of {dataset.source}; {columns}")]
    if dataset.columns.settings:
        facts.append(_targets(dataset))
    if dataset.columns.spellings:
        facts.append(("Spellings that count as one label", "; ".join(dataset.columns.spellings)))
    if hints := [*label_hints(dataset)]:
        facts.append(("Hints", "; ".join(hints)))
    if dataset.skipped:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in dataset.skipped.items())
        facts.append(("Skipped rows", reasons))
    return facts


def split_facts(
    splits: Mapping[str, Sequence[Example]], removed: Mapping[str, str], settings: TrainSettings, unit: str = "rows"
) -> list[Fact]:
    """Rows of each split, and the rows that are left out because they or their queries (``unit``) are duplicates."""
    held_out = f"from {settings.eval_data}" if settings.eval_data else f"held out, seed {settings.seed}"
    sizes = ", ".join(f"{len(some):,} {name}" for name, some in splits.items())
    facts = [("Split", f"{sizes} ({held_out})")]
    if settings.keep_duplicates:
        return [*facts, ("Duplicates", "not searched for (--keep-duplicates)")]
    left_out = "; ".join(f"{what} left out of {name}" for name, what in removed.items() if what)
    return [*facts, (f"Duplicates of training {unit}", left_out or "none in the evaluation rows")]


def target_facts(dataset: Dataset, spec: TaskSpec, test: Sequence[Example]) -> list[Fact]:
    """Labels, or types of entities, that are rare, that no test row has, or that only test rows have."""
    if not spec.names:
        return []
    what = "Types" if isinstance(dataset.columns, EntitiesColumn) else "Labels"
    lines: dict[str, list[int]] = {name: [] for name in spec.names}
    for example in dataset.examples:
        for name in names_of(example.target):
            lines.setdefault(name, []).append(example.line)
    facts = []
    if single := [f"{name} (line {some[0]})" for name, some in lines.items() if len(some) == 1]:
        facts.append((f"{what} with a single row, used for training", _some(single)))
    if empty := [name for name, some in lines.items() if not some]:
        facts.append((f"{what} that no row has", _some(empty)))
    tested = [name for example in test for name in names_of(example.target)]
    known, seen = Labels(spec.names), Labels(tuple(tested))
    if absent := [name for name in spec.names if name not in seen]:
        facts.append((f"{what} that cannot be evaluated because no test row has them", _some(absent)))
    if unknown := [name for name in tested if name not in known]:
        one_label = all(isinstance(example.target, str) for example in test)
        wrong = "Test rows counted as wrong because no training row has their label"
        facts.append(
            (wrong if one_label else f"{what} counted as missed because only test rows have them", counted(unknown))
        )
    return facts


def cut_fact(readings: Sequence[Reading], truncation: Truncation) -> Fact:
    """Truncated texts and tokens, over all splits; texts that are read apart count as one."""
    most = truncation.max_tokens
    cut, lost = sum(1 for reading in readings if reading.cut), sum(reading.cut for reading in readings)
    total = lost + sum(reading.read for reading in readings)
    several = sum(1 for reading in readings if len(reading.pieces) > 1 and not reading.apart)
    if several:
        return "Long texts", (
            f"{several:,} of {len(readings):,} texts are longer than {most} tokens and are read in "
            "overlapping windows; nothing was cut"
        )
    if not cut:
        return "Truncation", f"no text is longer than {most} tokens; nothing was cut"
    kept = "the first and last tokens are kept" if truncation.policy == "head_tail" else "the first tokens are kept"
    return "Truncation", (
        f"{cut:,} of {len(readings):,} texts are longer than {most} tokens; {kept}, "
        f"{lost:,} tokens ({percent(lost / total)}) were cut"
    )


def _columns(dataset: Dataset) -> list[tuple[str, str | tuple[str, ...]]]:
    names = {"text_pair_column": "second text", "label_columns": "labels"}
    if isinstance(dataset.columns, LabelsColumn):
        names["label_column"] = "several labels"
    each = dataset.settings.items()
    return [(names.get(key, key.removesuffix("_columns").removesuffix("_column")), column) for key, column in each]


def _quoted(column: str | tuple[str, ...]) -> str:
    return repr(column) if isinstance(column, str) else _some([repr(name) for name in column])


def _targets(dataset: Dataset) -> Fact:
    numbers = [target for target in dataset.targets if isinstance(target, float)]
    if numbers:
        return "Numbers", f"{min(numbers):g} to {max(numbers):g}, mean {float(np.mean(numbers)):.4g}"
    counts = Counter(name for target in dataset.targets for name in names_of(target))
    shares = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(8))
    more = f" and {len(counts) - 8} more {'types' if _entities(dataset) else 'labels'}" if len(counts) > 8 else ""
    none = sum(not names_of(target) for target in dataset.targets)
    without = f"; {none:,} rows without" if none else ""
    return ("Entities" if _entities(dataset) else "Labels"), shares + more + without


def _entities(dataset: Dataset) -> bool:
    return isinstance(dataset.columns, EntitiesColumn)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
