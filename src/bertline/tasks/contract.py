"""What every task has: the fields of its spec that training, bundles and serving read, and the figures of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from bertline.data.examples import Dataset
from bertline.data.settings import Reads, TaskSettings
from bertline.data.target_kinds import TargetKind
from bertline.data.targets import Target
from bertline.encoder.outputs import OUTPUTS
from bertline.statistics.activation import Activation
from bertline.statistics.intervals import Estimate
from bertline.statistics.paired import verdict
from bertline.text.reading import Input, Reading

if TYPE_CHECKING:
    from bertline.text import Tokenizer

Array = np.ndarray[Any, Any]
Label = Annotated[str, Field(min_length=1)]


@runtime_checkable
class Answer(Protocol):
    """The answer to one input. Those of a spec that is ``ranked`` take ``top_k`` as an argument of both methods."""

    @property
    def read_tokens(self) -> int:
        """Tokens of the input that were read, special tokens included."""
        ...

    @property
    def cut_tokens(self) -> int:
        """Tokens of the input that truncation left out."""
        ...

    def to_json(self) -> dict[str, object]:
        """All fields by name, as plain JSON values: what the service answers."""
        ...

    def columns(self) -> dict[str, object]:
        """Columns of a table of predictions: the same names for every answer of a model."""
        ...


class TaskSpec(BaseModel):
    """The part of a manifest that says what the model does.

    Attributes:
        task: the name of the task's folder.
        reads: one text, a pair of texts, or a query and a text that competes with its other texts.
        temperature: divides the logits before they become probabilities.
        training_defaults: settings of ``train`` whose defaults differ for this task.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    training_defaults: ClassVar[Mapping[str, int | float]] = {}

    task: str
    reads: Reads = "text"
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0

    if TYPE_CHECKING:  # a field of one task is a property of another, and pydantic warns of a field over a property

        @property
        def labels(self) -> tuple[str, ...]:
            """Of the head's outputs, in their order."""
            ...

    @classmethod
    def kind_to_learn(cls, settings: TaskSettings) -> TargetKind:
        """How a table to train on holds its targets.

        Raises:
            SettingsError: the settings contradict each other.
        """
        raise NotImplementedError

    @classmethod
    def of(cls, dataset: Dataset, settings: TaskSettings) -> TaskSpec:
        """The spec of a model for all the targets of a table."""
        raise NotImplementedError

    @property
    def kind(self) -> TargetKind:
        """How a table to evaluate on holds its targets."""
        raise NotImplementedError

    def with_tokenizer(self, tokenizer: Tokenizer) -> TaskSpec:
        """The spec with the bundle's tokenizer, where answers need it."""
        return self

    @property
    def required(self) -> str:
        """What every text must contain: "" is in every text."""
        return ""

    @property
    def chooses(self) -> bool:
        """Whether a request may choose the number of words and the words of an answer (``choosing``)."""
        return False

    def choosing(self, top_k: int | None = None, targets: Sequence[str] | None = None) -> TaskSpec:
        """The spec of one request, for a spec that ``chooses``.

        Raises:
            UsageError: a value is out of its range.
        """
        raise NotImplementedError

    def fault(self, reading: Reading) -> str | None:
        """Why the model has no answer to an input: the predicate of a sentence, with the remedy; None if it has one."""
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that a target may have, or the types of its entities; none of numbers."""
        return self.labels

    @property
    def weighable(self) -> bool:
        """Whether training can weigh rare labels more."""
        return False

    def arrays(self, target: Target, reading: Reading) -> list[Array]:
        """The target of each piece of a reading, as ``learn.loss`` takes it."""
        raise NotImplementedError

    def self_supervised(
        self, texts: Sequence[Input], read: Callable[[Sequence[Input]], list[Reading]]
    ) -> tuple[list[Reading], list[Any]] | None:
        """Rows with their targets, made of texts without labels; None for a task that needs labels."""
        return None

    def notes(self, targets: Sequence[Target], readings: Sequence[Reading]) -> list[tuple[str, str]]:
        """Facts about a table that show only after reading it, each with its name."""
        return []

    @property
    def output(self) -> str:
        """The output of the network that answers are made from (``encoder.outputs``)."""
        return "logits"

    def needs_full_network(self, output: str) -> bool:
        """Whether an output comes from the bundle's full network in fp32, whichever engine gives the answers."""
        return output in OUTPUTS and OUTPUTS[output].full and output != self.output

    @property
    def activation(self) -> Activation:
        """From logits to probabilities."""
        return "softmax"

    @property
    def offsets(self) -> bool:
        """Whether answers need the characters that tokens stand for (``Reader``)."""
        return False

    @property
    def pairs(self) -> bool:
        """Whether it reads two texts together."""
        return self.reads != "text"

    @property
    def apart(self) -> bool:
        """Whether the texts of a row are read one by one, and what is learned is how they relate."""
        return False

    @property
    def ranked(self) -> bool:
        """Whether an answer ranks all labels (``top_k``)."""
        return False

    def counted(self, answers: Sequence[Any]) -> list[tuple[str, float]]:
        """Which of ``names`` some answers give, each with its probability; none of those that rank all labels."""
        return []

    def with_problem_type(self, problem_type: object) -> TaskSpec:
        """The spec, given the checkpoint's own ``problem_type``, which is all that bundles of format 1 say of it."""
        return self

    @property
    def problem_type(self) -> str | None:
        """``problem_type`` in the checkpoint's ``config.json``, where ``transformers`` has one for the task."""
        return None


@runtime_checkable
class Evaluation(Protocol):
    """The figures of a network on one set of texts."""

    @property
    def rows(self) -> int:
        """Number of texts."""
        ...

    @property
    def seed(self) -> int:
        """Of the bootstrap."""
        ...

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        """The headline figures by name; the first is the score of the task."""
        ...

    def metrics(self) -> dict[str, dict[str, float]]:
        """Every overall figure by its name in JSON."""
        ...

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain, finite JSON values."""
        ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two networks on the same texts.

    Attributes:
        score: the name of the score, which is better when it is higher: accuracy, micro-F1, R², F1,
            NDCG@10 or masked accuracy.
        value: the score of the first.
        difference: the score of the first minus that of the second.
        p_value: two-sided.
        agreement: share of texts with the same answer; of numbers, with answers that differ by at most a tenth of the
            true numbers' standard deviation; of rankings, share of a query's pairs of texts in the same order; of
            masked words, share of the [MASK] with the same first word.
        only_first: texts that only the first has right; of numbers, texts on which the first is nearer to the truth;
            of rankings, queries with a higher score.
        only_second: the same for the second.
    """

    score: str
    value: float
    difference: Estimate
    p_value: float
    agreement: float
    only_first: int
    only_second: int

    @property
    def verdict(self) -> int:
        """1: the first is better; −1: the second; 0: no significant difference."""
        return verdict(self.difference, self.p_value)

    @property
    def drop_points(self) -> float:
        """Score that the first loses against the second, in points; negative if the first is better."""
        return 0 - 100 * self.difference.value  # a product alone would make −0.0 of 0


def score_key(score: str) -> str:
    """The key of a score in JSON.

    >>> score_key("micro-F1"), score_key("R²"), score_key("NDCG@10"), score_key("masked accuracy")
    ('micro_f1', 'r2', 'ndcg_at_10', 'masked_accuracy')
    """
    return score.lower().replace("-", "_").replace(" ", "_").replace("²", "2").replace("@", "_at_")
