"""The build context of the image for training and batch work."""

from __future__ import annotations

import re
from pathlib import Path

from bertline.deploy import batch_image, wheel
from tests.unit.deploy.test_image import exec_forms

ROOT = Path(__file__).parents[3]


def names(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))


def test_the_lock_is_whole_and_each_build_of_torch_has_its_part() -> None:
    files = {name: str(text) for name, text in batch_image.files().items() if name != wheel.NAME}
    locks = {"requirements.txt", "requirements-ray.txt", "requirements.gpu.txt"}
    assert set(files) == {"Dockerfile", ".dockerignore", *locks}
    whole = names((ROOT / "requirements" / "batch.txt").read_text(encoding="utf-8"))
    general, of_gpu = names(files["requirements.txt"]), names(files["requirements.gpu.txt"])
    assert general | of_gpu == whole
    assert general & of_gpu == set()
    assert {"torch", "triton", "nvidia-cublas"} <= of_gpu
    assert {"numpy", "pyarrow", "obstore", "scikit-learn", "onnxruntime"} <= general
    assert not {one for one in general if "nvidia" in one or one.startswith("cuda")}
    assert names(files["requirements-ray.txt"]) > general | {"ray"}


def test_torch_is_the_locked_one_without_cuda_and_nothing_runs_in_a_shell() -> None:
    text = str(batch_image.files()["Dockerfile"])
    [version] = re.findall(r"^torch==(\S+)", str(batch_image.files()["requirements.gpu.txt"]), re.MULTILINE)
    assert f"\nARG TORCH=torch=={version}+cpu\n" in text
    assert "@{" not in text
    run = text[text.index("AS batch") :]
    assert "\nUSER 65532:65532\n" in run
    assert "\nRUN " not in run
    assert exec_forms(run) == [["python3", "-m", "bertline.cli.container"], ["--help"]]


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        batch_image.write_context(tmp_path / "image")
    assert {one.name for one in (tmp_path / "image").iterdir()} == set(batch_image.files())
