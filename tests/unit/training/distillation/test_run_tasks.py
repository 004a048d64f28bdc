"""Which teachers are refused, before any table is read and anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertline.errors import UsageError
from bertline.tasks.classify.spec import Spec as Classify
from bertline.tasks.contract import TaskSpec
from bertline.tasks.tag.spec import Spec as Tag
from bertline.testing.tiny import write_tiny_bundle
from bertline.training.distillation.run import distill
from bertline.training.distillation.settings import DistillSettings
from bertline.training.progress import Silent


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (Classify(problem="several", labels=("a", "b")), "classify with several labels"),
        (Classify(problem="number", labels=("stars",)), "classify with numbers"),
        (Classify(labels=("no", "yes"), reads="pair"), "classify of pairs"),
        (Tag(types=("place",)), "tag"),
    ],
)
def test_a_teacher_of_another_task_is_refused_first(tmp_path: Path, spec: TaskSpec, name: str) -> None:
    write_tiny_bundle(tmp_path / "tiny", task=spec, pooling="none" if spec.output == "tags" else "cls")
    message = (
        rf"tiny cannot be distilled: its task is {name}, and a student learns one label for each single text; "
        "choose another teacher$"
    )
    with pytest.raises(UsageError, match=message):
        distill(tmp_path / "tiny", str(tmp_path / "missing.csv"), tmp_path / "out", DistillSettings(), Silent())
    assert not (tmp_path / "out").exists()
