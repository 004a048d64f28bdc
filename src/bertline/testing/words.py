"""Models without a network behind them: what they answer can be told from the text.

Everything else is real: a bundle on disk with its hashes, the tokenizer, the scheduler. Only the process that computes
is a thread of the test.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from pydantic import JsonValue
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from bertline.bundle import Manifest, load, writing
from bertline.bundle.probes import ATTENTIONS
from bertline.bundle.reference import ReferenceRows, Split, write_reference
from bertline.data.batching import Batch, Ragged
from bertline.encoder.outputs import OUTPUTS
from bertline.errors import BundleError
from bertline.inference import TextClassifier
from bertline.library import Model
from bertline.service import ServeSettings
from bertline.serving.process import ComputeFailed, NoMemory, WorkerLost
from bertline.serving.serving import Serving
from bertline.serving.wire import Reply, Status
from bertline.serving.worker import Started
from bertline.tasks.tag.scheme import Scheme
from bertline.testing.inside import inside_of
from bertline.text import Tokenizer

TOPICS = (
    "acquisitions", "agriculture", "aviation", "banking", "energy", "environment", "health", "housing",
    "insurance", "labour", "law", "metals", "mining", "policy", "retail", "shipping", "sport", "technology",
    "tourism", "foreign exchange and interest rates",
)  # fmt: skip
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["good", "bad", "fail", "huge", "die", "wait"]  # every other word is [UNK], one token
ID = {word: number for number, word in enumerate([*SPECIALS, *WORDS])}
BUNDLES = tempfile.mkdtemp(prefix="bertline-doubles-")
atexit.register(shutil.rmtree, BUNDLES, ignore_errors=True)
HIDDEN = 3  # width of the embeddings


def word_tokenizer() -> Tokenizer:
    """A word is a token."""
    pieces = BertWordPieceTokenizer(vocab=ID, lowercase=True)
    return Tokenizer(tokenizers.Tokenizer.from_str(pieces.to_str()), lowercase=True)


class WordCounter:
    """Says ``positive`` the more, the more words ``good`` there are; a word is a token.

    Labels besides the first two get equal shares of a tenth. An embedding has the counts of good, bad, and all tokens.

    Args:
        labels: of the bundle.
        max_tokens: of the bundle.
        metrics: of the bundle's manifest.
        several: a text may have several labels (sigmoid).
        pairs: it reads pairs of texts; the words of both count.
        lanes: batches at a time.
        kept: rows that its bundle carries.
    """

    def __init__(
        self,
        labels: Sequence[str] = ("negative", "positive"),
        *,
        max_tokens: int = 16,
        metrics: Mapping[str, JsonValue] | None = None,
        several: bool = False,
        pairs: bool = False,
        lanes: int = 1,
        name: str = "reviews",
        task: Mapping[str, JsonValue] | None = None,
        kept: Mapping[Split, ReferenceRows] | None = None,
    ) -> None:
        self.kept = kept or {}
        self.name, self.labels, self.max_tokens, self.lanes = name, tuple(labels), max_tokens, lanes
        self.task = task
        self.metrics, self.several, self.pairs = dict(metrics or {}), several, pairs
        self.batches: list[list[int]] = []  # lengths of the texts of each batch that was asked, without warm-ups
        self.workers: list[ThreadWorker] = []
        self._bundle: Path | None = None

    @property
    def bundle(self) -> Path:
        """Its directory, written when it is first asked for."""
        if self._bundle is None:
            self._bundle = Path(tempfile.mkdtemp(dir=BUNDLES)) / self.name
            self.write(self._bundle)
        return self._bundle

    @property
    def version(self) -> str:
        """Of its bundle."""
        return load(self.bundle).version

    def write(self, target: Path, *, overwrite: bool = False, **changes: Any) -> None:
        """Write its bundle; ``changes`` go to its manifest."""
        entries: dict[str, Any] = {
            "name": self.name,
            **({"labels": self.labels, "temperature": 1.0} if self.task is None else {"task": self.task}),
            "max_tokens": self.max_tokens,
            "truncation": "head_tail",
            "pooling": "cls",
            "metrics": self.metrics,
        }
        manifest = Manifest(**{**entries, **changes})
        if self.pairs and not manifest.task.pairs:
            manifest = manifest.model_copy(update={"task": manifest.task.model_copy(update={"reads": "pair"})})
        kind = "multi_label_classification" if self.several else "single_label_classification"
        with writing(target, manifest, overwrite=overwrite) as staging:
            names = {str(place): label for place, label in enumerate(self.labels)}
            config = {"model_type": "bert", "problem_type": kind, "hidden_size": HIDDEN, "id2label": names}
            (staging / "config.json").write_text(json.dumps(config))
            (staging / ATTENTIONS).write_bytes(b"")  # no process loads it
            word_tokenizer().save(staging, max_tokens=self.max_tokens)
            for split, rows in self.kept.items():
                write_reference(staging, split, rows)

    def compute(self, output: str, batch: Batch) -> np.ndarray[Any, Any]:
        """A row per text."""
        counts = np.stack([(batch.ids == ID[word]).sum(1) for word in ("good", "bad")], axis=1)
        if output == "embedding":
            return np.column_stack([counts, batch.attend.sum(1)]).astype(np.float32)
        if output == "states":
            return np.repeat(batch.ids[:, :, None], HIDDEN, axis=2).astype(np.float32)
        if OUTPUTS[output].inside and output != "scores":
            return inside_of(output, batch)
        good = (1 + 8 * counts[:, 0]) / (2 + 8 * counts.sum(1))
        others = len(self.labels) - 2
        pair = 0.9 if others else 1.0
        shares = np.column_stack([pair * (1 - good), pair * good, *[np.full(len(good), 0.1 / max(others, 1))] * others])
        return np.asarray(np.log(shares / (1 - shares)) if self.several else np.log(shares)).astype(np.float32)

    def model(self) -> Model:
        """It as a ``Model`` of the library, with a real bundle, a real tokenizer and real batches."""
        classifier = TextClassifier(load(self.bundle), word_tokenizer(), WordBackend(self), engine="double")
        return Model(classifier, lambda **_: classifier)

    def check(self, batch: Batch) -> None:
        """Raise what the process would have."""
        if (batch.ids == ID["fail"]).any():
            raise ComputeFailed("an index is out of bounds")
        if (batch.ids == ID["huge"]).any() and len(batch.ids) > 1:
            raise NoMemory("failed to allocate memory")
        if (batch.ids == ID["die"]).any():
            raise WorkerLost


class WordTagger(WordCounter):
    """Finds an entity of the first type at each word ``good``, and of the second at each word ``bad``."""

    def __init__(self, types: tuple[str, str] = ("praise", "blame"), *, name: str = "tagger", **more: Any) -> None:
        self._scheme = Scheme("BIO", types)
        task: dict[str, JsonValue] = {"task": "tag", "types": [*types]}
        super().__init__(self._scheme.labels, name=name, task=task, **more)

    def write(self, target: Path, *, overwrite: bool = False, **changes: Any) -> None:
        """Write its bundle, which reads long texts by windows."""
        super().write(target, overwrite=overwrite, **{"truncation": "window", "pooling": "none", **changes})

    def compute(self, output: str, batch: Batch) -> np.ndarray[Any, Any]:
        """A row per token."""
        if output != "tags":
            return super().compute(output, batch)
        labels = np.zeros(batch.ids.shape, dtype=np.int64)
        for word, kind in (("good", 0), ("bad", 1)):
            labels[batch.ids == ID[word]] = self._scheme.label("B", kind)
        return np.eye(len(self.labels), dtype=np.float32)[labels] * 4


class WordRanker(WordCounter):
    """Scores a text by its words, good ones minus bad ones; the words of the query do not count."""

    def __init__(self, highest: float = 1.0, *, name: str = "ranker", **more: Any) -> None:
        super().__init__(("score",), name=name, task={"task": "rank", "highest": highest}, **more)

    def compute(self, output: str, batch: Batch) -> np.ndarray[Any, Any]:
        """A row per text."""
        if output != "logits" or batch.segments is None:
            return super().compute(output, batch)
        text = batch.segments == 1
        good, bad = (((batch.ids == ID[word]) & text).sum(1, keepdims=True) for word in ("good", "bad"))
        return np.asarray(good - bad, dtype=np.float32)


class WordFiller(WordCounter):
    """Fills each [MASK] with ``good``, then ``bad``, then the other words.

    Args:
        scores: of the first two; the others have 0.
    """

    def __init__(self, *, scores: tuple[float, float] = (4, 2), name: str = "filler", **more: Any) -> None:
        super().__init__((), name=name, task={"task": "fill"}, **more)
        self._scores = scores

    def compute(self, output: str, batch: Batch) -> np.ndarray[Any, Any]:
        """A row per [MASK]."""
        if output != "vocabulary":
            return super().compute(output, batch)
        scores = np.zeros((int((batch.ids == ID["[MASK]"]).sum()), len(ID)), dtype=np.float32)
        scores[:, [ID["good"], ID["bad"]]] = self._scores
        return scores


class WordBackend:
    """A double as a back end."""

    outputs = frozenset({"logits", "embedding", "states"})

    def __init__(self, double: WordCounter) -> None:
        self._double, self.lanes = double, double.lanes

    def compute(self, batch: Batch, output: str = "logits", *, alone: bool = False) -> np.ndarray[Any, Any]:
        """One output for each text, or what the double raises."""
        self._double.check(batch)
        return self._double.compute(output, batch)


class Broken(WordCounter):
    """Answers nothing, not even the warm-up."""

    def check(self, batch: Batch) -> None:
        """Raise at every batch."""
        raise ComputeFailed("it has no weights")


class Buggy(WordCounter):
    """Has an error that nobody foresaw, and whose message quotes the text, at the word ``fail``."""

    def check(self, batch: Batch) -> None:
        """Raise what no code expects."""
        if (batch.ids == ID["fail"]).any():
            raise ValueError("no such word in my secret")


class Gated(WordCounter):
    """Computes only while ``gate`` is set; ``entered`` says that it was asked."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.gate, self.entered = threading.Event(), threading.Event()

    def compute(self, output: str, batch: Batch) -> np.ndarray[Any, Any]:
        """As the others, once the gate is open."""
        self.entered.set()
        assert self.gate.wait(timeout=30), "nobody opened the gate"
        return super().compute(output, batch)


class ThreadWorker:
    """In the place of ``WorkerProcess``: computes a double in threads of this process."""

    def __init__(
        self,
        double: WordCounter,
        bundle: Path,
        on_lost: Callable[[str], None],
    ) -> None:
        self._double, self._bundle, self._on_lost = double, bundle, on_lost
        self._lost = self.stopped = False
        double.workers.append(self)

    @property
    def pid(self) -> int:
        """Of no process."""
        return 4_000_000  # more than Linux gives

    responsive = True

    async def start(self) -> Started:
        """Open the bundle and say what answers."""
        try:
            version = load(self._bundle).version
        except BundleError as error:
            raise BundleError(str(error)) from None
        return Started(version, "double", self._double.lanes, 64)

    async def compute(self, output: str, batch: Ragged, *, alone: bool, behind: bool = False) -> Reply:
        """A batch, in a thread."""
        if self._lost:
            raise WorkerLost
        if output == "logits":
            self._double.batches.append([*batch.lengths])
        laid = batch.lay_out()
        try:
            self._double.check(laid)
        except WorkerLost:
            self.lose()
            raise
        values = await asyncio.to_thread(self._double.compute, output, laid)
        if self._lost:
            raise WorkerLost
        return Reply(1, Status.DONE, values, seconds=0.001)

    @property
    def lost(self) -> bool:
        """It is gone."""
        return self._lost

    def lose(self) -> None:
        """As when the process is killed."""
        if not self._lost:
            self._lost = True
            self._on_lost("it ended")

    async def stop(self) -> None:
        """Note that it was stopped."""
        self.stopped = True


def serving_of(
    models: Mapping[str, WordCounter],
    settings: ServeSettings | None = None,
    *,
    later: Sequence[WordCounter] = (),
) -> Serving:
    """The real thing around doubles; ``later``: those whose bundles the test is going to load."""
    by_bundle = {one.bundle.resolve(): one for one in (*models.values(), *later)}

    def start_worker(bundle: Path, *, on_lost: Callable[[str], None], **_: Any) -> ThreadWorker:
        return ThreadWorker(by_bundle.get(bundle) or next(iter(models.values())), bundle, on_lost)

    bundles = {name: one.bundle for name, one in models.items()}
    return Serving(bundles, settings or ServeSettings(), start_worker=start_worker)
