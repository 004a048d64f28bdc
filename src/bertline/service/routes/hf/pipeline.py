"""The parameters of ``transformers``' classification pipelines, for both dialects whose clients send them.

The pipeline hands what it does not know to the tokenizer, which logs it or raises. Here each parameter is honoured, has
no bearing on the answer, or is refused by name: Hugging Face's toolkits answer 400 to whatever the pipeline raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import Field, model_validator

from bertline.service.routes.fields import Exact
from bertline.service.routes.tei.answers import listed, scores
from bertline.service.routes.tei.schema import TeiScore, must_be
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.statistics.activation import Activation
from bertline.tasks.tag.aggregation import Entry, Strategy, aggregated
from bertline.text import Policy

AT = "parameters."
# Parameters that one pipeline alone has, whose clients would take the answer for its own.
PIPELINES: Mapping[str, str] = {
    "candidate_labels": "zero-shot-classification",
    "targets": "fill-mask",
    **dict.fromkeys(("aggregation_strategy", "ignore_labels", "stride"), "token-classification"),
    **dict.fromkeys(("top_k", "function_to_apply", "return_all_scores"), "text-classification"),
}
WHOLE = (False, "do_not_truncate")
Cut = Annotated[
    Literal["longest_first", "only_first", "do_not_truncate"] | bool | None,
    must_be('true, false, "longest_first", "only_first" or "do_not_truncate"', AT),
]
T = TypeVar("T")
NoEffect = Annotated[T | None, Field(description="Accepted without effect.")]
Function = Annotated[Activation | Literal["none"] | None, must_be("softmax, sigmoid or none", AT)]


class Parameters(Exact):
    """Those of every pipeline, and how a model answers that none is for."""

    at: ClassVar[str] = AT
    does: ClassVar[str] = "has a task of its own"

    @property
    def policy(self) -> Policy | None:
        """What is read of a text that is too long; None is the bundle's own choice."""
        return None

    @property
    def max_tokens(self) -> int | None:
        """Most tokens to read; None is what the model can."""
        return None

    def answers(self, answered: Answered) -> list[Any]:
        """The pipeline's answer to each text."""
        return [one.to_json() for one in answered.answers]

    @classmethod
    def unknown(cls, name: str) -> Problem:
        """What a request with this parameter is told: whose it is, if it is another pipeline's."""
        if name not in PIPELINES:
            return super().unknown(name)
        field = f"{AT}{name}"
        told = f"{field} is a parameter of {PIPELINES[name]}, and this model {cls.does}: use a model for that task."
        return Problem(Code.UNSUPPORTED, told, field)


class TextParameters(Parameters):
    """How to classify."""

    does: ClassVar[str] = "classifies and embeds texts"

    top_k: int | None = Field(None, ge=1, description="Number of most probable labels to return; null returns all.")
    function_to_apply: Function = Field(
        None, description="Function from logits to scores; the default is that of the checkpoint."
    )
    truncation: Cut = Field(
        None,
        description="true: only the beginning of a text that is too long is read, or of both texts of a pair. "
        "false: such a text is an error. "
        "The default is that of the model.",
    )
    max_length: int | None = Field(
        None, ge=4, description="Maximum number of tokens to read, up to the limit of the model."
    )
    return_all_scores: bool | None = Field(None, description="Older form of top_k: true is null, false is 1.")
    padding: NoEffect[bool | str] = None
    batch_size: NoEffect[int] = None

    @model_validator(mode="before")
    @classmethod
    def _older_name(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and "top_k" not in content:
            wanted = content.get("return_all_scores")
            if isinstance(wanted, bool):
                return {**content, "top_k": None if wanted else 1}
        return content

    @property
    def policy(self) -> Policy | None:
        """What ``transformers`` would read of a text that is too long; None is the bundle's own choice."""
        if self.truncation in WHOLE:
            return "error"
        return None if self.truncation is None and self.max_length is None else "head"

    @property
    def max_tokens(self) -> int | None:
        """Tokens to read; a length without truncation bounds nothing, as in ``transformers``."""
        return None if self.truncation in WHOLE else self.max_length

    def answers(self, answered: Answered) -> list[list[TeiScore]]:
        """The labels of each text with their scores, the highest first."""
        labels = answered.version.labels
        return [listed(labels, one)[: self.top_k] for one in scores(answered, self.function_to_apply)]

    def check_pairs(self) -> None:
        """Refuse what these parameters do not mean for a pair.

        Raises:
            Problem: only its first text were to be cut.
        """
        if self.truncation == "only_first":
            raise Problem(
                Code.UNSUPPORTED,
                f'{AT}truncation is "only_first", and tokens of a pair are taken from its longer text: '
                'send "longest_first".',
                f"{AT}truncation",
            )


class TokenParameters(Parameters):
    """How entities are put together from tokens."""

    does: ClassVar[str] = "finds entities"

    aggregation_strategy: Annotated[Strategy | None, must_be(" or ".join(get_args(Strategy)), AT)] = Field(
        None, description="none: the label of each token. The others: entities, each in its way."
    )
    ignore_labels: Annotated[list[str] | None, must_be("a list of labels", AT)] = Field(
        None, description='Labels, or with a strategy types, that are left out; ["O"] without it.'
    )
    stride: NoEffect[int] = None  # a long text is read whole, in the windows of the model
    padding: NoEffect[bool | str] = None
    batch_size: NoEffect[int] = None

    def answers(self, answered: Answered, default: Strategy = "none") -> list[list[Entry]]:
        """The pipeline's answer to each text.

        Args:
            answered: with the output ``tags``.
            default: the strategy where none was asked for.
        """
        version = answered.version
        ignored = ("O",) if self.ignore_labels is None else self.ignore_labels
        how = version.labels, version.tokenizer, self.aggregation_strategy or default, ignored
        each = zip(answered.readings, answered.pieces, strict=True)
        return [[_plain(one) for one in aggregated(reading, rows, *how)] for reading, rows in each]


def _plain(entry: Entry) -> Entry:
    """With a number of Python, which JSON can say."""
    return {**entry, "score": float(entry["score"])}


# By task; others have ``Parameters``.
PARAMETERS: Mapping[str, type[Parameters]] = {"classify": TextParameters, "tag": TokenParameters}
