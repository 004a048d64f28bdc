"""Write the page and stub that are generated from the public functions of ``bertline``, so that they always match.

python -m tools.reference_page            writes the page and the stub
python -m tools.reference_page --check    exits with 1 and the name of the first file that is out of date

The stub, ``src/bertline/__init__.pyi``, gives type checkers and editors each verb with its settings as keyword
arguments. The page, ``docs/reference.md``, is written by hand, except for two things: ``<!-- reference: NAME -->`` is
followed by the name's signature, description and settings, and a ``python`` block by what it prints. The blocks run in
order, in a directory with three tiny bundles and two tables.
"""

from __future__ import annotations

import ast
import contextlib
import csv
import inspect
import io
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import bertline
from bertline.errors import EngineWarning
from bertline.tasks.fill.spec import Spec as Filling
from bertline.tasks.rank.spec import Spec as Ranking
from bertline.testing.tiny import write_tiny_bundle
from tools.dialect_pages import BAD, GOOD, alike, write_bundle

ROOT = Path(__file__).parents[1]
PAGE, STUB = ROOT / "docs" / "reference.md", ROOT / "src" / "bertline" / "__init__.pyi"
VERBS = ("train", "pretrain", "evaluate", "distill", "optimize", "index")
COMMAND = "python -m tools.reference_page"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "new year")

BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n.*?^```\n)?", re.MULTILINE | re.DOTALL)
REFERENCE = re.compile(r"(?P<head><!-- reference: (?P<name>[\w.]+) -->\n).*?(?P<foot><!-- /reference -->)", re.DOTALL)
SECTION = re.compile(r"^(Args|Returns|Raises):$", re.MULTILINE)

# ------------------------------------------------------------------------------------------ the stub


def stub() -> str:
    """The text of the stub."""
    errors = [name for name, home in sorted(bertline._HOMES.items()) if home == "bertline.errors"]
    lines = [f'"""What type checkers and editors see of bertline; written by ``{COMMAND}``."""', ""]
    lines += ["from collections.abc import Iterable, Sequence", "from pathlib import Path"]
    lines += ["from typing import Literal", ""]
    lines += [f"from bertline.errors import {name} as {name}" for name in errors]
    lines += [
        f"from bertline.library import {name} as {name}"
        for name in ("Answers", "Index", "Model", "Report", "import_model", "load")
    ]
    lines += ["", "__all__: list[str]", "__version__: str", ""]
    return _formatted("\n".join([*lines, *(f"def {_signature(name)}: ..." for name in VERBS)]) + "\n")


def _signature(name: str) -> str:
    signature = inspect.signature(getattr(bertline, name))
    shown, keyword = [], False
    for one in signature.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not keyword:
            shown.append("*")
            keyword = True
        default = "" if one.default is one.empty else f" = {one.default!r}"
        shown.append(f"{one.name}: {annotation(one.annotation)}{default}")
    return f"{name}({', '.join(shown)}) -> {signature.return_annotation.__name__}"


def annotation(kind: Any) -> str:
    """A type as a caller writes it: a path may be a string, and a tuple any sequence.

    >>> annotation(Path | None), annotation(tuple[str, ...]), annotation(float)
    ('str | Path | None', 'Sequence[str]', 'float')
    """
    if isinstance(kind, str):
        return kind
    if get_origin(kind) is tuple:
        return f"Sequence[{annotation(get_args(kind)[0])}]"
    if get_origin(kind) in (Union, types.UnionType):
        return " | ".join(map(annotation, get_args(kind)))
    if kind is Path:
        return "str | Path"
    if kind is type(None):
        return "None"
    return kind.__name__ if isinstance(kind, type) else re.sub(r"\btyping\.", "", str(kind))


def _formatted(code: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(STUB), "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, check=True, cwd=ROOT).stdout


# ------------------------------------------------------------------------------------------ the page


def page(written: str) -> str:
    """The page with its generated parts made again; a print that differs only by a machine's rounding stays."""
    referred = REFERENCE.sub(lambda match: f"{match['head']}\n{reference(match['name'])}\n{match['foot']}", written)
    with _directory():
        names: dict[str, Any] = {"__name__": "page"}
        return BLOCK.sub(lambda match: _executed(match, names), referred)


def reference(name: str) -> str:
    """Signature and docstring of a public name (``train``, ``Model.predict``) as Markdown."""
    value: Any = bertline
    for part in name.split("."):
        value = getattr(value, part)
    parts = SECTION.split(inspect.getdoc(value) or "")
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    shown = [f"```py\n{_called(name, value)}\n```", parts[0].strip().replace("``", "`")]
    shown += [_list(sections["Args"])] if "Args" in sections else []
    shown += [f"**Returns** {_line(sections['Returns'])}"] if "Returns" in sections else []
    shown += [f"**Raises**\n\n{_list(sections['Raises'])}"] if "Raises" in sections else []
    if name in VERBS:
        shown.append(_settings(getattr(bertline, name)))
    return "\n\n".join(shown) + "\n"


def _called(name: str, value: Any) -> str:
    """How it is called; the settings of a verb are in the table below and not in the line."""
    if isinstance(value, property):
        return f"{name}: {inspect.signature(value.fget).return_annotation}"
    if inspect.isclass(value):
        return name
    code = ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]
    assert isinstance(code, ast.FunctionDef)
    assert code.returns is not None
    code.args.args = [one for one in code.args.args if one.arg != "self"]
    return f"{name if '.' in name else f'bertline.{name}'}({ast.unparse(code.args)}) -> {ast.unparse(code.returns)}"


def _list(section: str) -> str:
    """The entries of a section of a docstring, which begin at its own indentation."""
    lines = inspect.cleandoc(section).splitlines()
    entries: list[str] = []
    for line in lines:
        if line.startswith(" "):
            entries[-1] += f" {line.strip()}"
        elif line:
            entries.append(line)
    return "\n".join(
        f"- `{name}`: {text.replace('``', '`')}" for name, _, text in (one.partition(": ") for one in entries)
    )


def _line(section: str) -> str:
    return " ".join(section.split()).replace("``", "`")


def _settings(verb: Callable[..., Any]) -> str:
    rows = [
        f"| `{name}` | `{annotation(field.annotation)}` | {field.description} | `{field.get_default()!r}` |"
        for name, field in verb.__settings__.model_fields.items()  # type: ignore[attr-defined]
    ]
    return "\n".join(["| setting | type | meaning | default |", "| --- | --- | --- | --- |", *map(_escaped, rows)])


def _escaped(row: str) -> str:
    """A row of a table whose code has bars in it."""
    return re.sub(r"`[^`]*`", lambda match: match[0].replace(" | ", " \\| "), row)


def _executed(match: re.Match[str], names: dict[str, Any]) -> str:
    """A block with what it prints: also the value of its last line, as a notebook shows it."""
    output = io.StringIO()
    tree = ast.parse(match["code"])
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(output), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", EngineWarning)
        exec(compile(tree, "<page>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<page>", "eval"), names)
            if value is not None:
                print(repr(value))
    block = f"```python\n{match['code']}```\n"
    made = f"{block}\n```text\n{output.getvalue().rstrip()}\n```\n" if output.getvalue().strip() else block
    return match[0] if alike(match[0], made) else made


@contextlib.contextmanager
def _directory() -> Iterator[None]:
    """A directory with what the page speaks of."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="bertline-reference-") as directory:
        os.chdir(directory)
        try:
            write_bundle(Path("reviews"))
            write_tiny_bundle(Path("tiny"))
            write_tiny_bundle(Path("tiny-mlm"), task=Filling(), pooling="none", truncation="window")
            write_tiny_bundle(Path("ranker"), task=Ranking())
            _write_table(Path("reviews.csv"), [f"{{}} We saw it on {day}." for day in DAYS])
            _write_table(Path("later.csv"), ["{}", "“{}”"])
            yield
        finally:
            os.chdir(before)


def _write_table(path: Path, forms: Sequence[str]) -> None:
    texts = [("positive", text) for text in GOOD] + [("negative", text) for text in BAD]
    rows = [(form.format(text), label) for form in forms for label, text in texts]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])


def main(arguments: list[str]) -> int:
    """Write both files, or check them."""
    written = PAGE.read_text(encoding="utf-8")
    for path, made in ((STUB, stub()), (PAGE, page(written))):
        current = path.read_text(encoding="utf-8") if path.exists() else ""
        if made == current:
            continue
        if "--check" in arguments:
            print(f"{path.name} is out of date: run {COMMAND}.", file=sys.stderr)
            return 1
        path.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
