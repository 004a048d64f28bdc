"""A bundle opened to answer in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bertline.config import given_settings
from bertline.errors import UsageError
from bertline.explanation.anatomy.settings import AnatomySettings
from bertline.explanation.settings import Baseline, ExplainSettings, Method, Removal
from bertline.inference import TextClassifier
from bertline.inference.seen_inside import SeenInside
from bertline.inference.zero_shot import ZeroShotPredictor
from bertline.library.answers import Answers
from bertline.library.lazily import Lazily
from bertline.library.nearest_rows import NearestRows
from bertline.library.ranked import Ranked, ranked
from bertline.library.texts import checked_texts
from bertline.lifecycle.probes.settings import ProbeSettings
from bertline.statistics.activation import normalised
from bertline.tasks.contract import TaskSpec
from bertline.tasks.embed.spec import as_embedder
from bertline.tasks.fill.spec import lacks
from bertline.tasks.zero_shot import TEMPLATE, Candidates
from bertline.text import Input
from bertline.text.reading import texts_of

if TYPE_CHECKING:
    from bertline.explanation.anatomy.found import Anatomy
    from bertline.explanation.changes import Counter
    from bertline.explanation.found import Explanation
    from bertline.explanation.nearest import Near
    from bertline.lifecycle.probes.found import Scan


class Model:
    """A model that answers. Every method may be called from several threads at once.

    At most as many calls compute at a time as the engine has lanes; the others wait. A text's answer depends on
    neither the texts nor the calls beside it.

    Args:
        predictor: answers; ``load`` makes it of a bundle.
        load_other: loads what gives another output of the bundle, when it is first needed.
    """

    def __init__(self, predictor: TextClassifier, load_other: Callable[..., TextClassifier]) -> None:
        self._predictor = predictor
        self._embedder, self._inside = (
            Lazily(partial(load_other, output=output), predictor) for output in ("embedding", "attentions")
        )
        self._nearest = NearestRows(predictor, self._embedded)
        self._lanes = threading.BoundedSemaphore(predictor.backend.lanes)

    @property
    def name(self) -> str:
        """What people call the model."""
        return self._predictor.name

    @property
    def version(self) -> str:
        """Twelve hex digits: the same for the same bytes in every file of the bundle."""
        return self._predictor.version

    @property
    def engine(self) -> str:
        """The engine that answers, by the name that the bundle gives it."""
        return self._predictor.engine

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the head's outputs, in their order; of a tagger, the spelling of its types."""
        return self._predictor.labels

    @property
    def max_tokens(self) -> int:
        """Most tokens that it reads of a text, [CLS] and [SEP] included."""
        return self._predictor.max_tokens

    @property
    def task(self) -> str:
        """What it does: ``classify``, ``tag``, ``rank``, ``embed`` or ``fill``."""
        return self._predictor.spec.task

    def predict(self, texts: Iterable[str | tuple[str, str]]) -> Answers:
        """Answer texts: one answer per text, in their order.

        Args:
            texts: a list, a column of a table, or any other iterable of strings; of pairs of strings, for a model that
                reads pairs.

        Raises:
            UsageError: ``texts`` is one string, or has something else than the model reads.
            BundleError: the weights give a number that is not finite.
        """
        given = checked_texts(texts, "predict", pairs=self._predictor.spec.pairs)
        return self._answers(given, self._predictor.spec)

    def tag(self, texts: Iterable[str]) -> Answers:
        """Find the entities of texts: ``predict`` of a model that is a tagger.

        Args:
            texts: as for ``predict``.

        Raises:
            UsageError: as ``predict``, or the model is no tagger.
            BundleError: as ``predict``.
        """
        if self.task != "tag":
            raise UsageError(f"{self.name} finds no entities, its task is {self.task}: use predict")
        return self.predict(texts)

    def rank(self, query: str, texts: Iterable[str], *, top_k: int | None = None) -> list[Ranked]:
        """Order texts by their relevance to a query, the most relevant first; the model is a ranker.

        Args:
            query: what is looked for.
            texts: as for ``predict``, without pairs.
            top_k: number of texts to return; by default all.

        Raises:
            UsageError: as ``predict``, or the model is no ranker.
            BundleError: as ``predict``.
        """
        if self.task != "rank":
            raise UsageError(f"{self.name} ranks no texts, its task is {self.task}: use predict")
        given = checked_texts(texts, "rank")
        answers = self.predict([(query, text) for text in given])
        return ranked(given, [answer.score for answer in answers])[:top_k]

    def fill(self, texts: Iterable[str], *, top_k: int | None = None, targets: Sequence[str] | None = None) -> Answers:
        """Find words for each [MASK] of texts: ``predict`` of a model that fills in words.

        The words for one [MASK] are chosen by themselves, without regard to those of another.

        Args:
            texts: as for ``predict``, each with one [MASK] or several.
            top_k: words for each [MASK], 1 to 1,000; by default those of the model, which are usually 5.
            targets: the only words to choose from; probabilities stay those among the whole vocabulary. A word that is
                not in the vocabulary is represented by its first piece, and the answer says so (``targets``).

        Raises:
            UsageError: as ``predict``, a text has no [MASK], the model fills in no words, ``top_k`` is out of its
                range, or a target has no token.
            BundleError: as ``predict``.
        """
        spec = self._predictor.spec
        if not spec.chooses:
            raise UsageError(f"{self.name} fills in no words, its task is {self.task}: use predict")
        given = checked_texts(texts, "fill")
        if isinstance(targets, str):
            raise UsageError("targets is one string: write targets=[word]")
        return self._answers(given, spec.choosing(top_k, targets))

    def zero_shot(
        self,
        texts: Iterable[str],
        labels: Iterable[str],
        *,
        template: str = TEMPLATE,
        several: bool = False,
    ) -> Answers:
        """Choose among labels that the model was not trained on.

        A classifier of pairs with the labels entailment, neutral and contradiction, in any spelling, judges whether a
        text entails ``template`` with a label. An embedding model compares the text with it.

        Args:
            texts: as for ``predict``, without pairs.
            labels: in any order.
            template: a sentence about a label, which stands at ``{}``.
            several: judge each label by itself, so that a text may have several; only with an entailment model.

        Raises:
            UsageError: as ``predict``, the model does neither, a label is blank or there twice, or the template has no
                ``{}``.
            BundleError: as ``predict``.
        """
        predictor = ZeroShotPredictor(self._predictor, Candidates.of(labels, template, several))
        given = checked_texts(texts, "zero_shot")
        with self._lanes:
            return Answers(given, predictor.predict(given), f"{self.name} ({self.engine})")

    def _answers(self, given: list[Any], spec: TaskSpec) -> Answers:
        for place, one in enumerate(given):
            if spec.required not in texts_of(one)[0]:
                raise UsageError(f"texts[{place}] {lacks(spec.required)}")
        with self._lanes:
            return Answers(given, self._predictor.predict(given, spec), f"{self.name} ({self.engine})")

    def embed(
        self, texts: Iterable[str], *, normalise: bool | None = None, dimensions: int | None = None
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Embed texts: an array [texts, dimensions] of float32, a row per text in their order.

        The embeddings of an embedder are those of ``sentence-transformers``. Of any other model they are the mean of
        the encoder's last states over the text's tokens.

        Args:
            texts: as for ``predict``.
            normalise: divide each row by its length, so that a dot product is the cosine; by default as the embedder
                does, and other models do not.
            dimensions: keep only the first so many, which the embedder was trained for; by default all.

        Raises:
            UsageError: as ``predict``, or the model was not trained for so few dimensions.
            BundleError: as ``predict``, or nothing that is installed here can embed with this bundle.
        """
        given, own = checked_texts(texts, "embed"), as_embedder(self._predictor.spec)
        own.check_dimensions(dimensions, self.name)
        rows = self._embedded(given)[:, :dimensions]
        return normalised(rows) if (own.normalised if normalise is None else normalise) else rows

    def explain(
        self,
        text: str | tuple[str, str],
        *,
        label: str | None = None,
        span: tuple[int, int] | None = None,
        method: Method = "linear",
        removal: Removal = "delete",
        baseline: Baseline = "mask",
        budget: int = 500,
        seed: int = 0,
        phrases: bool = False,
    ) -> Explanation:
        """The share of each word in one answer of a classifier, a tagger or a ranker; PyTorch is not needed.

        Args:
            text: the text, or the pair for a model that reads pairs.
            label: the label to explain; by default the one that the model gives.
            span: of a tagger: the characters whose label is explained; by default the first entity (of that label).
            method: ``linear``, ``shapley``, ``partition``, ``leave-one-out``, or with PyTorch ``integrated-gradients``.
            removal: ``delete``, or ``mask`` to put [MASK] in a word's place.
            baseline: what integrated gradients start from: ``mask``, ``pad``, ``zero``, or ``average`` of these.
            budget: most answers of the model that it may take.
            seed: of the sampled orders.
            phrases: also find words that together do more or less than alone, in up to ``budget`` answers more.

        Returns:
            ``words``, each with its ``share`` of the log-odds (or number) ``value``; with ``base`` they add up to it,
            unless each was left out alone. ``phrases``, if asked for, each with its ``share`` and what each of its
            words does ``alone``. ``to_json()`` has all of it.

        Raises:
            UsageError: the text is of another kind than the model reads, the label is unknown, the task has no such
                answers, or the budget is too small.
            SettingsError: a value is out of its range.
            BundleError: as ``predict``.
        """
        from bertline.explanation.explain import explain

        given = {"method": method, "removal": removal, "baseline": baseline, "budget": budget, "seed": seed}
        given |= {"phrases": phrases}
        settings = given_settings(ExplainSettings, "explain", given)
        (one,) = checked_texts([text], "explain", pairs=self._predictor.spec.pairs)
        with self._lanes:
            return explain(self._predictor, one, settings, label, span)

    def anatomy(
        self,
        text: str | tuple[str, str],
        *,
        layer: int = 0,
        head: int = 0,
        token: int | None = None,
        window: int = 3,
        skip_parts: bool = False,
    ) -> Anatomy:
        """One sentence on its way through the network, with the numbers of each step; PyTorch is not needed.

        Args:
            text: the sentence, or the pair for a model that reads pairs; at most 64 tokens.
            layer: the layer that the steps show, from 0.
            head: the head, from 0.
            token: the token that they follow, from 0; by default the first of the text.
            window: neighbouring words that the model is given together.
            skip_parts: do not ask the model about words and windows by themselves.

        Raises:
            UsageError: the text is empty, too long or of another kind, or there is no such layer, head or token.
            SettingsError: a value is out of its range.
            BundleError: as ``predict``, or the bundle has no ``attentions.onnx``.
        """
        from bertline.explanation.anatomy.anatomy import anatomy

        given = {"layer": layer, "head": head, "token": token, "window": window, "skip_parts": skip_parts}
        (one,) = checked_texts([text], "anatomy", pairs=self._predictor.spec.pairs)
        seen = SeenInside(self._predictor, self._inside.get("to look inside"))
        with self._lanes:
            return anatomy(seen, one, given_settings(AnatomySettings, "anatomy", given))

    def counter(
        self,
        text: str | tuple[str, str],
        *,
        replacements: Model | None = None,
        label: str | None = None,
        removal: Removal = "delete",
        budget: int = 500,
    ) -> Counter:
        """The smallest change of words with which a classifier gives another label.

        Args:
            text: as for ``explain``.
            replacements: a model that fills in words, which proposes others for those of the text; without one, or
                where none of them turns the answer, words are left out.
            label: where a text may have several labels, the one that it shall lose or get; by default the most
                probable one.
            removal: how words are left out, as for ``explain``.
            budget: most answers of both models together.

        Returns:
            ``words`` that are changed, each with its ``replacement``; ``before`` and ``texts`` after the change;
            ``turned`` is the label then. ``others`` are further changes, ``why`` says why words are left out.

        Raises:
            UsageError: as ``explain``, ``replacements`` fills in no words, or the text has a [MASK] of its own.
            SettingsError: a value is out of its range.
            BundleError: as ``predict``.
        """
        from bertline.explanation.counter import counter_evidence

        settings = given_settings(ExplainSettings, "counter", {"removal": removal, "budget": budget})
        (one,) = checked_texts([text], "counter", pairs=self._predictor.spec.pairs)
        if replacements is None:
            with self._lanes:
                return counter_evidence(self._predictor, one, settings, name=label)
        if replacements.task != "fill":
            raise UsageError(f"{replacements.name} fills in no words: give a masked language model as replacements")
        with self._lanes, replacements._lanes:
            return counter_evidence(self._predictor, one, settings, filler=replacements._predictor, name=label)

    def scan(
        self, texts: Iterable[str | tuple[str, str]], *, probes: Iterable[str] = (), rows: int = 200, seed: int = 0
    ) -> Scan:
        """Which changes of texts (typos, names, dialects …) break the answers of a classifier, tagger or ranker.

        Args:
            texts: as for ``predict``.
            probes: probes or groups of them, by name; by default all that fit the model.
            rows: texts to probe at most, chosen at random.
            seed: of the choice and of the changes.

        Returns:
            ``outcomes``, one for each probe, with its ``rate`` and the texts that are ``broken``;
            ``cases_file()`` is a file for ``bertline gate --behaviour``.

        Raises:
            UsageError: as ``predict``, the model cannot be probed, or there is no such probe.
            SettingsError: a value is out of its range.
            BundleError: as ``predict``.
        """
        from bertline.lifecycle.probes.scan import scan

        settings = given_settings(ProbeSettings, "scan", {"probes": tuple(probes), "rows": rows, "seed": seed})
        given = checked_texts(texts, "scan", pairs=self._predictor.spec.pairs)
        with self._lanes:
            return scan(self._predictor, given, settings)

    def nearest(self, text: str | tuple[str, str], most: int = 3) -> list[Near]:
        """The held-out rows in the bundle that are nearest to a text or pair, the most similar first, by embedding.

        ``UsageError`` if it carries none, the model is an embedder, or the text is of another kind than it reads.
        """
        return self._nearest.of(text, most)

    def _embedded(self, inputs: Sequence[Input]) -> np.ndarray[Any, np.dtype[np.float32]]:
        embedder = self._opened()
        with self._lanes:
            return embedder.embed(inputs)

    def similarity(self, texts: Iterable[str], others: Iterable[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The cosine of each text's embedding with that of each other text, −1 to 1: an array [texts, others].

        Args:
            texts: as for ``predict``.
            others: likewise.

        Raises:
            UsageError, BundleError: as ``embed``.
        """
        left, right = (checked_texts(some, "similarity") for some in (texts, others))
        rows = self.embed([*left, *right], normalise=True)
        return np.asarray(rows[: len(left)] @ rows[len(left) :].T)

    def _opened(self) -> TextClassifier:
        own = not self._predictor.spec.needs_full_network("embedding")
        return self._predictor if own else self._embedder.get("to embed with it")

    def __repr__(self) -> str:
        shown = ", ".join(self.labels[:8]) + (f" and {len(self.labels) - 8:,} more" if len(self.labels) > 8 else "")
        shown = shown or self.task
        return f"<Model {self.name} {self.version}: {shown}; engine {self.engine}, {self.max_tokens} tokens>"
