"""Facts about the text of the repository: sizes, names, and nothing that only one machine knows."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("src", "examples", "benchmarks", "tools")
CODE = sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 50
VAGUE = {"utils.py", "util.py", "common.py", "helpers.py", "helper.py", "misc.py", "base.py", "manager.py"}

# Put together here so that this file does not match itself.
HOSTS = [f"{name}.org" for name in ("pypi", "pythonhosted", "download.pytorch", "npmjs", "debian")]
PLACES = [f"/{name}/" for name in ("work", "root", "opt")]
FOREIGN = re.compile("|".join(map(re.escape, HOSTS + PLACES)))


def tracked() -> list[Path]:
    """The files of the repository: git's list where there is git, else all but what make builds."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    made = re.compile(r"build|dist|site|__pycache__|\.(?!ci$|github$|gitignore$).*")
    files = (path for path in ROOT.rglob("*") if path.is_file())
    return [path for path in files if not any(made.fullmatch(part) for part in path.relative_to(ROOT).parts)]


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_there_is_code_to_look_at() -> None:
    assert len(CODE) > 40
    assert ROOT / "pyproject.toml" in tracked()


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in CODE}
    assert not {str(path): n for path, n in lengths.items() if n > MAX_FILE_LINES}


def test_no_function_is_too_long() -> None:
    """Measured from the docstring on: the signature of a verb is the table of its flags."""
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in CODE
        for function in functions(path)
        if (function.end_lineno or 0) - function.body[0].lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert not long


def test_every_file_is_named_for_one_concept() -> None:
    assert not [path for path in CODE if path.name in VAGUE]


def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in FOREIGN.finditer(text)]
    assert not found


@pytest.mark.parametrize("text", [f"https://{HOSTS[0]}/simple", f"cd {PLACES[0]}bertline"])
def test_the_search_for_foreign_names_finds_them(text: str) -> None:
    assert FOREIGN.search(text)


def test_unit_tests_mirror_the_source() -> None:
    """tests/unit/data/test_split.py, or test_split_groups.py, is about bertline/data/split.py."""
    unit = ROOT / "tests" / "unit"
    strays = []
    for test in unit.rglob("test_*.py"):
        folder = ROOT / "src" / "bertline" / test.parent.relative_to(unit)
        subjects = {path.stem for path in folder.glob("*")} - {"__init__", "__pycache__"}
        name = test.stem.removeprefix("test_")
        if not any(name == subject or name.startswith(f"{subject}_") for subject in subjects):
            strays.append(str(test.relative_to(ROOT)))
    assert not strays


# The commands are `optimize` and `distill`, so the whole family of either word is written so. Other words are British.
MISSPELT = re.compile(r"[Oo]ptimi[s](?!t)|OPTIMI[S]|[Dd]istil(?![lbB])")
HISTORY = {"CHANGELOG.md", "docs/log.md"}  # written once, of files and words as they were then


def test_a_word_that_is_a_command_is_spelt_as_typed() -> None:
    misspelt = []
    for path in tracked():
        name = str(path.relative_to(ROOT))
        if name in HISTORY or path.suffix in (".json", ".tsv"):
            continue
        misspelt += [name] * bool(MISSPELT.search(name))
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        misspelt += [f"{name}:{at}: {line.strip()}" for at, line in enumerate(lines, 1) if MISSPELT.search(line)]
    assert not misspelt


@pytest.mark.parametrize("word", ["optimi" + "sation", "Optimi" + "ser", "dist" + "il_task", "Dist" + "ilSettings"])
def test_the_search_for_misspelt_commands_finds_them(word: str) -> None:
    assert MISSPELT.search(word)


@pytest.mark.parametrize("word", ["optimize", "optimizer", "distillation", "DistilBERT", "distilbert"])
def test_the_search_for_misspelt_commands_leaves_the_others(word: str) -> None:
    assert not MISSPELT.search(word)


# Words that fit so much that a reader would ask which one is meant.
ONCE = ("Batch", "Line", "Measured", "Rows", "Speed", "Store")


def test_a_word_that_could_mean_anything_names_one_thing() -> None:
    places: dict[str, list[str]] = {name: [] for name in ONCE}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            defined = [node] if isinstance(node, ast.ClassDef) else getattr(node, "targets", ())
            for one in defined:
                name = getattr(one, "name", getattr(one, "id", ""))
                if name in places:
                    places[name].append(str(path.relative_to(ROOT / "src" / "bertline")))
    shared = {name: sorted(files) for name, files in places.items() if len(files) > 1}
    assert not shared
