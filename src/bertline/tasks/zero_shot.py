"""Zero-shot classification: labels that come with the texts, and that no model was trained on.

Each label becomes a hypothesis, "This text is about sport." A model that was trained on textual entailment says whether
the text entails it (Yin, Hay and Roth 2019), as ``transformers``' pipeline does. An embedding model says how near the
text is to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.data.names import canonical
from bertline.errors import UsageError
from bertline.statistics.activation import normalised
from bertline.tasks.classify.answer import Prediction, answers
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import TaskSpec
from bertline.text import Reading

TEMPLATE = "This text is about {}."
PLACE = "{}"  # of the label in a template
PIPELINE_TEMPLATE = "This example is {}."  # of transformers' pipeline, where a request has none
# Cosines of sentence embeddings lie close together; this is the usual scale of the loss that they are trained with
# (MultipleNegativesRankingLoss of sentence-transformers).
COSINE_SCALE = 20.0
FIELDS = ("labels", "template")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Entailment:
    """The outputs of an entailment model that count.

    Attributes:
        yes: index of the label that says that the text entails the hypothesis.
        no: index of the label that says that it contradicts the hypothesis.
    """

    yes: int
    no: int

    @classmethod
    def of(cls, spec: TaskSpec) -> Entailment | None:
        """The outputs of a classifier of pairs with such labels in any spelling; None of any other model.

        Without a label for contradiction, as in entailment and not_entailment, the other label counts.

        >>> Entailment.of(Spec(reads="pair", labels=("CONTRADICTION", "Entailment", "neutral")))
        Entailment(yes=1, no=0)
        """
        if not isinstance(spec, Spec) or spec.reads != "pair" or spec.problem != "single":
            return None
        names = [canonical(label).casefold() for label in spec.labels]
        yes = [place for place, name in enumerate(names) if name.startswith("entail")]
        no = [place for place, name in enumerate(names) if name.startswith("contradict")]
        if not no and len(names) == 2:
            no = [place for place in range(2) if place not in yes]
        return cls(yes[0], no[0]) if len(yes) == 1 and len(no) == 1 else None


@dataclass(frozen=True, slots=True)
class Candidates:
    """The labels to choose from.

    Attributes:
        labels: in the order in which they were given.
        template: of a hypothesis, with ``{}`` for the label.
        several: judge each label by itself, so that a text may have several labels or none.
    """

    labels: tuple[str, ...]
    template: str = TEMPLATE
    several: bool = False

    @classmethod
    def of(
        cls,
        labels: str | Iterable[str],
        template: str | None = None,
        several: bool = False,
        fields: Sequence[str] = FIELDS,
    ) -> Candidates:
        """Candidates from a request.

        Args:
            labels: one string has commas between them.
            template: None is ``TEMPLATE``.
            several: whether a text may have several labels.
            fields: what the request calls the labels and the template, for messages.

        Raises:
            UsageError: there is no label, one is blank or there twice, or the template has no place for a label.

        >>> Candidates.of("refund, delivery").hypotheses
        ['This text is about refund.', 'This text is about delivery.']
        """
        names = tuple(one.strip() for one in (labels.split(",") if isinstance(labels, str) else labels))
        if not any(names):
            raise UsageError(f"{fields[0]} has no label: give at least one")
        if not all(names):
            raise UsageError(f"{fields[0]}[{names.index('')}] is empty: leave it out")
        if twice := [name for place, name in enumerate(names) if name in names[:place]]:
            raise UsageError(f"{fields[0]} has {twice[0]!r} twice: give each label once")
        template = TEMPLATE if template is None else template
        if PLACE not in template:
            raise UsageError(f"{fields[1]} is {template!r}: write {PLACE} where the label goes, as in {TEMPLATE!r}")
        return cls(names, template, several)

    @property
    def hypotheses(self) -> list[str]:
        """A sentence for each label."""
        return [self.template.replace(PLACE, label) for label in self.labels]

    def pairs(self, texts: Sequence[str]) -> list[tuple[str, str]]:
        """Each text with each hypothesis, text by text."""
        return [(text, hypothesis) for text in texts for hypothesis in self.hypotheses]

    @property
    def spec(self) -> Spec:
        """What answers are made by: a single label is judged by itself, as nothing competes with it."""
        several = self.several or len(self.labels) == 1
        return Spec(problem="several" if several else "single", labels=self.labels)

    def check_compared(self) -> None:
        """Check that the labels can be compared with each other, which is all that embeddings tell.

        Raises:
            UsageError: each is to be judged by itself.
        """
        if self.spec.problem == "several":
            raise UsageError(
                "an embedding model compares labels and judges none by itself: give at least two labels of which one "
                "applies, or use an entailment model"
            )

    def entailed(
        self, outputs: Entailment, logits: Float[Array, "pairs outputs"], readings: Sequence[Reading]
    ) -> list[Prediction]:
        """Answers from the logits of ``pairs``, as ``transformers.pipeline("zero-shot-classification")`` has them.

        The probability of a label is its share of the exponentiated logits for entailment; with several labels, the
        probability of entailment against contradiction. A temperature was fitted to another question, so none is used.

        Args:
            outputs: of the model.
            logits: of the pairs, in their order.
            readings: of the pairs; of a text the longest counts.
        """
        yes, no = logits[:, outputs.yes], logits[:, outputs.no]
        own = yes - no if self.spec.problem == "several" else yes
        width = len(self.labels)
        longest = [max(readings[i : i + width], key=_tokens) for i in range(0, len(readings), width)]
        return self._answers(own.reshape(-1, width), longest)

    def nearest(
        self,
        texts: Float[Array, "texts hidden"],
        hypotheses: Float[Array, "labels hidden"],
        readings: Sequence[Reading],
    ) -> list[Prediction]:
        """Answers from embeddings: a softmax over the cosines, times ``COSINE_SCALE``.

        Args:
            texts: of each text.
            hypotheses: of each label.
            readings: of the texts.
        """
        cosines = normalised(texts.astype(np.float64)) @ normalised(hypotheses.astype(np.float64)).T
        return self._answers(COSINE_SCALE * cosines, readings)

    def _answers(self, logits: Float[Array, "texts labels"], readings: Sequence[Reading]) -> list[Prediction]:
        made = answers(self.spec, [[row] for row in logits], readings)
        return [one for one in made if isinstance(one, Prediction)]


def refusal(name: str, spec: TaskSpec) -> UsageError:
    """The error of a model that cannot classify with labels that it was not trained on."""
    return UsageError(
        f"{name} is a model for the task {spec.task} and cannot choose among labels that come with the texts: use an "
        "embedding model, or a classifier of pairs with the labels entailment, neutral and contradiction"
    )


def _tokens(reading: Reading) -> int:
    return reading.read + reading.cut
