"""The tokens of texts on disk: one stream to train on, one of held-out texts, each text followed by [SEP].

They are written once, in constant memory, and memory-mapped afterwards, so texts may be larger than memory. How long
a sequence is does not matter here (``sequences``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Integer
from numpy.lib.format import header_data_from_array_1_0, write_array_header_1_0

from bertline.bundle.swap import flush
from bertline.data.corpus import Corpus, is_held_out
from bertline.data.duplicates import normalise
from bertline.destination import as_destination_error, replace_file
from bertline.errors import DataError
from bertline.text import Tokenizer

FACTS = "tokens.json"
WHAT = "the tokens of the texts"
TEXTS_AT_ONCE = 1000
_SIDES = ("train", "held_out")

Stream = Integer[np.ndarray[Any, Any], "_"]  # two streams differ in length
Notify = Callable[[int, int], None]  # texts and tokens so far


@dataclass(frozen=True)
class Tokens:
    """Texts as tokens.

    Attributes:
        train: tokens of the texts to train on, [SEP] after each.
        held_out: of the held-out texts, likewise.
        texts: number of texts to train on.
        held_out_texts: number of held-out texts.
        excluded: texts left out because they are in the ``excluded`` of ``write_tokens``.
        skipped: bad rows left out.
        digest: of both streams.
    """

    train: Stream
    held_out: Stream
    texts: int
    held_out_texts: int
    excluded: int
    skipped: int
    digest: str


@dataclass
class _Counts:
    texts: int = 0
    held_out_texts: int = 0
    excluded: int = 0
    skipped: int = 0


def tokens_of(
    directory: Path,
    corpus: Corpus,
    tokenizer: Tokenizer,
    *,
    held_out_tokens: int,
    excluded: Collection[str] = (),
    identity: Any = None,
    notify: Notify = lambda texts, tokens: None,
) -> Tokens:
    """The tokens of ``corpus``: those in ``directory`` if they are of the same texts, else freshly written there.

    One text of twenty is held out, chosen by its hash, so that equal texts are on the same side; when there are
    ``held_out_tokens``, the others are trained on.

    Args:
        directory: is made; ``FACTS`` is written last, so tokens that are not whole are not used.
        corpus: files, not standard input.
        tokenizer: gives the ids.
        held_out_tokens: number from which on no further text is held out.
        excluded: texts to leave out, as ``normalise`` writes them.
        identity: whatever else the tokens depend on, as JSON values.
        notify: is told the progress.

    Raises:
        DataError: a file or a row cannot be used, or no text is left for one of the sides.
        DestinationError: the tokens cannot be written.
    """
    sources = [(source, Path(source).stat().st_size, Path(source).stat().st_mtime_ns) for source in corpus.sources]
    key = json.loads(json.dumps([sources, corpus.settings.model_dump(mode="json"), held_out_tokens, identity]))
    facts = _facts(directory)
    if facts is None or facts.pop("key", None) != key:
        with as_destination_error(directory, WHAT):
            facts = _write(directory, corpus, tokenizer, held_out_tokens, excluded, notify)
            replace_file(directory / FACTS, json.dumps({"key": key, **facts}).encode())
    streams = {side: np.load(directory / f"{side}.npy", mmap_mode="r") for side in _SIDES}
    return Tokens(**streams, **facts)


def _facts(directory: Path) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = json.loads((directory / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts


def _write(
    directory: Path,
    corpus: Corpus,
    tokenizer: Tokenizer,
    held_out_tokens: int,
    excluded: Collection[str],
    notify: Notify,
) -> dict[str, Any]:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / FACTS).unlink(missing_ok=True)
    dtype = np.dtype(np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.int32)
    counts, held_out = _Counts(), set[bytes]()
    with _Writer(directory / "train.npy", dtype) as train, _Writer(directory / "held_out.npy", dtype) as tested:
        for some in _batches(corpus):
            left = [text for text in some if normalise(text) not in excluded] if excluded else some
            counts.excluded += len(some) - len(left)
            full = tested.tokens >= held_out_tokens
            for text, encoded in zip(left, tokenizer.encode_whole(left), strict=True):
                if not encoded.ids:
                    continue
                ids = np.array([*encoded.ids, tokenizer.sep_id], dtype)
                if is_held_out(text) and (not full or _digest(text) in held_out):
                    held_out.add(_digest(text))
                    counts.held_out_texts += 1
                    tested.add(ids)
                else:
                    counts.texts += 1
                    train.add(ids)
            notify(corpus.read, train.tokens + tested.tokens)
        counts.skipped = corpus.skipped
        if not train.tokens or not tested.tokens:
            side = "held-out texts" if train.tokens else "texts to train on"
            raise DataError(
                f"{corpus.names} has too few texts ({counts.texts + counts.held_out_texts:,}): one of twenty is held "
                f"out, and there are no {side}; give more texts"
            )
    return {**asdict(counts), "digest": f"{train.digest.hexdigest()}{tested.digest.hexdigest()}"}


def _batches(corpus: Corpus) -> Iterator[list[str]]:
    texts = iter(corpus)
    while some := list(islice(texts, TEXTS_AT_ONCE)):
        yield some


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass
class _Writer:
    """An .npy file of one axis that grows: the header has room for any length and is written again at the end."""

    path: Path
    dtype: np.dtype[Any]
    tokens: int = field(default=0, init=False)
    digest: Any = field(default_factory=lambda: blake2b(digest_size=16), init=False)

    def __enter__(self) -> _Writer:
        self._file = self.path.open("wb")
        self._header()
        return self

    def add(self, ids: Stream) -> None:
        self.tokens += len(ids)
        content = ids.tobytes()
        self.digest.update(content)
        self._file.write(content)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self._file.seek(0)
            self._header()
        self._file.close()
        if kind is None:
            flush(self.path)

    def _header(self) -> None:
        write_array_header_1_0(
            self._file, {**header_data_from_array_1_0(np.empty(0, self.dtype)), "shape": (self.tokens,)}
        )
