"""Run the examples on the guide's dialect pages and write the responses into them, so that they match the server.

python -m tools.dialect_pages            writes the pages
python -m tools.dialect_pages --check    exits with 1 and the name of the first page that is out of date

The pages are written by hand, except what follows each example: an ``http`` request is followed by its response, a
``python`` block by what it prints, a ``console`` block with curl by its output, and ``<!-- routes: tag, /path -->`` by
a table from the OpenAPI description. All of it comes from ``bertline serve`` with a tiny bundle. Values that differ
between runs are shown as …, numbers have four decimals, and long vectors are shortened to three numbers.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import tokenizers
import torch
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from bertline.bundle import Manifest, writing
from bertline.bundle.engine import FULL
from bertline.bundle.probes import Probes
from bertline.data.batching import Batch, pad
from bertline.encoder.checkpoint import save_classifier
from bertline.encoder.config import EncoderConfig
from bertline.encoder.heads import Classifier
from bertline.export.exporter import FP32, write_embedding, write_fp32_engine
from bertline.testing.tiny import logits_of
from bertline.text import Reader, Tokenizer, Truncation
from tests.service.spawn import spawned

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "guide" / "dialects"
SHOWN_URL = "127.0.0.1:8000"  # in the pages; the server that answers has another port

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = "a quiet film that stays with you for days loud and far too long i left early it is warm funny dull , ."
LABELS = ("negative", "positive")
GOOD = ("A quiet film that stays with you for days.", "Warm and funny.", "It is a warm film.", "A quiet film.")
BAD = ("A loud film, and far too long.", "I left early.", "It is dull and far too long.", "A loud film.")
STEPS, RATE = 600, 0.1

WIDTH = 100  # of a line of JSON
KEPT = 3  # numbers of a vector with more than twice as many
TOLERANCE = 2e-3  # between two machines' numbers
VARYING = frozenset(
    {"version", "versions", "model_version", "model_sha", "created", "max_batch_tokens", "max_concurrent_requests"}
)
HEADERS = ("Content-Type", "Retry-After", "X-Request-Id")  # of an answer, that are shown

NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
BLOCK = re.compile(
    r"^```(?P<kind>http|python|console)\n(?P<asked>.*?)^```\n(?:\n```(?:http\nHTTP|text\n|json\n).*?^```\n)?",
    re.MULTILINE | re.DOTALL,
)
TABLE = re.compile(r"(?P<head><!-- routes: (?P<wanted>.*?) -->\n).*?(?P<foot><!-- /routes -->)", re.DOTALL)


def write_bundle(target: Path) -> None:
    """A whole bundle of two labels, with a network of two layers that has learned eight sentences."""
    words = [*WORDS.split(), *(chr(97 + number) for number in range(26) if chr(97 + number) not in WORDS.split())]
    vocabulary = [*SPECIALS, *words, *(f"##{chr(97 + number)}" for number in range(26))]
    pieces = BertWordPieceTokenizer(vocab={word: id_ for id_, word in enumerate(vocabulary)}, lowercase=True)
    tokenizer = Tokenizer(tokenizers.Tokenizer.from_str(pieces.to_str()), lowercase=True)
    manifest = Manifest(
        name="reviews", labels=LABELS, max_tokens=16, truncation="head_tail", pooling="cls", temperature=1.5,
        engines=(FP32,), metrics={},
    )  # fmt: skip
    config = EncoderConfig(
        family="bert", vocab_size=len(vocabulary), hidden=32, layers=2, heads=4, feed_forward=64, max_positions=16,
        segments=2, init_std=0.3,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = Classifier(config, len(LABELS), manifest.pooling)
    probes = (*GOOD, *BAD)
    readings = Reader(tokenizer, Truncation(manifest.max_tokens, manifest.truncation)).read(probes)
    batch = pad([one.piece.ids for one in readings], 0)
    train(classifier, batch)
    with writing(target, manifest) as staging:
        save_classifier(staging, classifier, labels=LABELS)
        tokenizer.save(staging, max_tokens=manifest.max_tokens)
        write_fp32_engine(staging, classifier)
        Probes(probes, {FULL: logits_of(classifier, batch)}).write(staging)
        write_embedding(staging, classifier)


def train(classifier: Classifier, batch: Batch) -> None:
    """Let it learn that the sentences of the first half are good.

    Only its last layer: that has one minimum, so every machine gets to the same place. (Of all layers, 40 steps
    differed by 3 in the logits between one thread and two.)
    """
    ids, attend = torch.from_numpy(batch.ids), torch.from_numpy(batch.attend)
    right = torch.tensor([1] * len(GOOD) + [0] * len(BAD))
    descent = torch.optim.SGD(classifier.eval().get_submodule("head.out").parameters(), RATE)
    for _ in range(STEPS):
        descent.zero_grad()
        torch.nn.functional.cross_entropy(classifier(ids, attend), right).backward()
        descent.step()


class Server:
    """The server that answers what the pages ask.

    Args:
        url: where it listens.
    """

    def __init__(self, url: str) -> None:
        self._host = url.removeprefix("http://").rstrip("/")
        described = httpx.get(f"http://{self._host}/openapi.json", trust_env=False, timeout=60)
        self._description: Any = described.raise_for_status().json()

    def refreshed(self, page: str) -> str:
        """The page with what is answered now, or as it was where numbers differ by no more than two machines' do."""
        made = TABLE.sub(lambda found: found["head"] + self._table(found["wanted"]) + found["foot"], page)
        made = BLOCK.sub(lambda found: f"```{found['kind']}\n{found['asked']}```\n" + self._answer(found), made)
        return page if alike(page, made) else made

    def routes(self) -> set[str]:
        """Every route of the description, as in ``POST /v1/predict``."""
        return {f"{verb.upper()} {path}" for path, verb, _ in self._operations()}

    def _operations(self) -> Iterator[tuple[str, str, Any]]:
        for path, verbs in self._description["paths"].items():
            yield from ((path, verb, operation) for verb, operation in verbs.items())

    def _table(self, wanted: str) -> str:
        chosen = set(wanted.split(", "))
        rows = [
            f"| `{verb.upper()} {path}` | {one['summary']} | {', '.join(sorted(set(one['responses']) - {'default'}))} |"
            for path, verb, one in self._operations()
            if chosen & {path, *one["tags"]}
        ]
        return "\n".join(["| route | what it does | may answer |", "| --- | --- | --- |", *rows, ""])

    def _answer(self, found: re.Match[str]) -> str:
        """The block that follows one which asks; nothing after a command that is not curl's."""
        kind, asked = found["kind"], found["asked"].replace(SHOWN_URL, self._host)
        if kind == "http":
            return f"\n```http\n{self._requested(asked)}```\n"
        if kind == "python":
            printed = _ran([sys.executable, "-c", asked]).replace(self._host, SHOWN_URL)
            return f"\n```text\n{printed}```\n"
        command, *rest = shlex.split(asked.removeprefix("$ ").replace("\\\n", " "))
        if command != "curl":
            return ""
        return f"\n```json\n{shown(json.loads(_ran(['curl', '--silent', '--show-error', *rest])))}\n```\n"

    def _requested(self, asked: str) -> str:
        """The answer to a request that is written as it goes over the wire."""
        head, _, body = asked.partition("\n\n")
        first, *others = head.splitlines()
        verb, path = first.split(" ")
        headers = dict(line.split(": ", 1) for line in others)
        content = body.rstrip("\n").encode()
        response = httpx.request(verb, f"http://{self._host}{path}", headers=headers, content=content, trust_env=False)
        lines = [f"HTTP/1.1 {response.status_code} {response.reason_phrase}"]
        lines += [f"{name}: {response.headers[name]}" for name in HEADERS if name in response.headers]
        if not {"x-request-id", "x-amzn-trace-id"} & {name.lower() for name in headers}:
            lines = [line for line in lines if not line.startswith("X-Request-Id")]  # a number of the server's, drawn
        kind = response.headers.get("content-type", "").partition(";")[0]
        if kind == "application/json":
            lines += ["", shown(response.json())]
        elif response.content:
            lines += ["", *(shown(json.loads(line)) for line in response.text.splitlines())]
        return "\n".join(lines) + "\n"


def _ran(command: Sequence[str]) -> str:
    """What a command prints, without a token, a cache or a proxy of whoever runs this."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "OPENAI_"))}
    with tempfile.TemporaryDirectory() as home:
        environment = {**own, "HF_HOME": home, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command[-1]}\nended with {done.returncode}: {done.stderr}")
    return done.stdout


def shown(value: Any, name: str = "", indent: int = 0) -> str:
    """JSON for people: on one line where that fits, numbers with four places, … for what varies.

    Args:
        value: from JSON.
        name: of the key that it belongs to.
        indent: spaces before its closing bracket.
    """
    if isinstance(value, dict | list):
        line = _nested(value, name, indent, None)
        return line if len(line) + indent <= WIDTH and "\n" not in line else _nested(value, name, indent, indent + 2)
    if name in VARYING and value is not None:
        return '"…"' if isinstance(value, str) else "…"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, str):  # numbers that only programs read
        value = re.sub(r"(?<=^classify-)[0-9a-f]{32}$", "…", value)
    return json.dumps(value, ensure_ascii=False)


def _nested(value: dict[str, Any] | list[Any], name: str, indent: int, inner: int | None) -> str:
    deeper = 0 if inner is None else inner
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {shown(one, key, deeper)}" for key, one in value.items()]
    else:
        parts = [shown(one, name, deeper) for one in value]
        if len(parts) > 2 * KEPT and all(isinstance(one, float) for one in value):
            parts = [*parts[:KEPT], "…"]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    if inner is None or not parts:
        return opening + ", ".join(parts) + closing
    joined = ",\n".join(" " * inner + one for one in parts)
    return f"{opening}\n{joined}\n{' ' * indent}{closing}"


def alike(one: str, other: str) -> bool:
    """The same but for the last digits of numbers.

    >>> alike("a 0.5012 b", "a 0.5011 b"), alike("a 0.5012 b", "a 0.6 b"), alike("a 0.5", "b 0.5")
    (True, False, False)
    """
    if NUMBER.sub("#", one) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(abs(float(a) - float(b)) <= TOLERANCE for a, b in pairs)


@contextmanager
def serving() -> Iterator[Server]:
    """The real server, with a bundle named reviews, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "reviews"
        write_bundle(bundle)
        with spawned(f"reviews={bundle}") as process:
            yield Server(process.url)


def stale(server: Server, pages: Path) -> Iterator[tuple[Path, str]]:
    """The pages that do not say what is answered now, and what they should say."""
    for path in sorted(pages.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        made = server.refreshed(page)
        if made != page:
            yield path, made


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with ``--check`` say which is out of date."""
    with serving() as server:
        for path, made in stale(server, PAGES):
            if "--check" in arguments:
                print(f"{path.name} is out of date: run python -m tools.dialect_pages.", file=sys.stderr)
                return 1
            path.write_text(made, encoding="utf-8")
            print(path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
