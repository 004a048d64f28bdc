"""A predictor for labels that come with the texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bertline.bundle.verify import read_manifest
from bertline.inference.load import load_predictor
from bertline.inference.predictor import Predictor, TextClassifier, means
from bertline.tasks.classify.answer import Prediction
from bertline.tasks.contract import TaskSpec
from bertline.tasks.zero_shot import Candidates, Entailment, refusal
from bertline.text import Input


class ZeroShotPredictor:
    """Answers for single texts with candidate labels, from a model that was trained on none of them.

    Args:
        predictor: of a model of textual entailment, or of an embedding model.
        candidates: the labels.

    Raises:
        UsageError: the model does something else, or cannot judge the labels each by itself.
    """

    def __init__(self, predictor: TextClassifier, candidates: Candidates) -> None:
        self.predictor, self.candidates = predictor, candidates
        self.name, self.engine, self.max_tokens = predictor.name, predictor.engine, predictor.max_tokens
        self.labels = candidates.labels
        self.spec: TaskSpec = candidates.spec
        self._entailment = Entailment.of(predictor.spec)
        if self._entailment is None:
            if predictor.spec.output != "embedding":
                raise refusal(predictor.name, predictor.spec)
            candidates.check_compared()
            self._hypotheses = predictor.embed(candidates.hypotheses)

    def predict(self, texts: Sequence[Input], spec: TaskSpec | None = None) -> list[Prediction]:
        """One answer per text, in their order; ``spec`` has no effect, as the candidates have their own.

        Raises:
            BundleError: as ``TextClassifier.predict``.
        """
        single = [str(text) for text in texts]
        if self._entailment is None:
            readings, arrays = self.predictor.pieces(single, "embedding")
            return self.candidates.nearest(means(arrays), self._hypotheses, readings)
        scores = self.predictor.score(self.candidates.pairs(single))
        return self.candidates.entailed(self._entailment, scores.logits, scores.readings)


def load_with_labels(
    bundle: Path,
    candidates: Candidates | None,
    *,
    engine: str | None = None,
    lanes: int | None = None,
    checksum: str | None = None,
) -> Predictor:
    """The predictor of a bundle for candidate labels; without them for its own task.

    Args:
        bundle: its directory.
        candidates: the labels, if they come with the texts.
        engine: as for ``load_predictor``.
        lanes: as for ``load_predictor``.
        checksum: as for ``load_predictor``.

    Raises:
        BundleError, UsageError: as ``load_predictor`` and ``ZeroShotPredictor``.
    """
    if candidates is None:
        return load_predictor(bundle, engine=engine, lanes=lanes, checksum=checksum)
    spec = read_manifest(bundle).task
    if Entailment.of(spec) is None and spec.output != "embedding":
        raise refusal(str(bundle), spec)
    return ZeroShotPredictor(
        load_predictor(bundle, engine=engine, output=spec.output, lanes=lanes, checksum=checksum), candidates
    )
