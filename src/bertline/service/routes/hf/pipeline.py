"""The parameters of ``transformers``' classification pipelines, for the two dialects that have them.

The pipeline passes unknown parameters to the tokenizer, which logs them or raises. Here a parameter is supported,
accepted without effect, or rejected: Hugging Face's toolkits answer 400 if the pipeline raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import Field, model_validator

from bertline.service.routes.chosen import chosen
from bertline.service.routes.fields import Exact
from bertline.service.routes.tei.answers import listed, scores
from bertline.service.routes.tei.schema import TeiScore, must_be
from bertline.service.routes.zero_shot import candidates_of
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.serving.version import Version
from bertline.statistics.activation import Activation
from bertline.tasks.contract import TaskSpec
from bertline.tasks.fill.pipeline import entries
from bertline.tasks.fill.spec import Spec
from bertline.tasks.tag.aggregation import Entry, Strategy, aggregated
from bertline.tasks.zero_shot import PIPELINE_TEMPLATE, Candidates
from bertline.text import Policy

AT = "parameters."
# Parameters of a single pipeline, whose clients would misread another pipeline's answer.
PIPELINES: Mapping[str, str] = {
    **dict.fromkeys(("candidate_labels", "hypothesis_template", "multi_label"), "zero-shot-classification"),
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
    """The parameters of all pipelines, and the answers of tasks without a pipeline."""

    at: ClassVar[str] = AT
    does: ClassVar[str] = "has a task of its own"

    @property
    def policy(self) -> Policy | None:
        """The truncation policy; None is the bundle's own."""
        return None

    @property
    def max_tokens(self) -> int | None:
        """Maximum number of tokens to read; None is the model's limit."""
        return None

    def spec(self, version: Version) -> TaskSpec:
        """The spec to answer with."""
        return version.spec

    def answers(self, answered: Answered) -> list[Any]:
        """The pipeline's answer to each text."""
        return [one.to_json() for one in answered.answers]

    @classmethod
    def unknown(cls, name: str) -> Problem:
        """The problem of an unknown parameter; it names the pipeline that has it, if any."""
        if name not in PIPELINES:
            return super().unknown(name)
        field = f"{AT}{name}"
        message = f"{field} is a parameter of {PIPELINES[name]}, and this model {cls.does}: use a model for that task."
        return Problem(Code.UNSUPPORTED, message, field)


class TextParameters(Parameters):
    """The parameters of text classification."""

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
    return_all_scores: bool | None = Field(None, description="Old form of top_k: true is null, false is 1.")
    padding: NoEffect[bool | str] = None
    batch_size: NoEffect[int] = None

    @model_validator(mode="before")
    @classmethod
    def _older_name(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and "top_k" not in content:
            returns_all = content.get("return_all_scores")
            if isinstance(returns_all, bool):
                return {**content, "top_k": None if returns_all else 1}
        return content

    @property
    def policy(self) -> Policy | None:
        """The truncation policy of ``transformers``; None is the bundle's own."""
        if self.truncation in WHOLE:
            return "error"
        return None if self.truncation is None and self.max_length is None else "head"

    @property
    def max_tokens(self) -> int | None:
        """Maximum number of tokens to read; a length without truncation has no effect, as in ``transformers``."""
        return None if self.truncation in WHOLE else self.max_length

    def answers(self, answered: Answered) -> list[list[TeiScore]]:
        """The labels of each text with their scores, highest first."""
        labels = answered.version.labels
        return [listed(labels, one)[: self.top_k] for one in scores(answered, self.function_to_apply)]

    def check_pairs(self) -> None:
        """Check the parameters for pairs.

        Raises:
            Problem: truncation is "only_first".
        """
        if self.truncation == "only_first":
            raise Problem(
                Code.UNSUPPORTED,
                f'{AT}truncation is "only_first", and tokens of a pair are taken from its longer text: '
                'send "longest_first".',
                f"{AT}truncation",
            )


class TokenParameters(Parameters):
    """The parameters of token classification."""

    does: ClassVar[str] = "finds entities"

    aggregation_strategy: Annotated[Strategy | None, must_be(" or ".join(get_args(Strategy)), AT)] = Field(
        None, description="none returns the label of each token; the other strategies return entities."
    )
    ignore_labels: Annotated[list[str] | None, must_be("a list of labels", AT)] = Field(
        None, description='Labels to leave out, or types if tokens are aggregated; default: ["O"].'
    )
    stride: NoEffect[int] = None  # long texts are read whole, in windows
    padding: NoEffect[bool | str] = None
    batch_size: NoEffect[int] = None

    def answers(self, answered: Answered, default: Strategy = "none") -> list[list[Entry]]:
        """The pipeline's answer to each text, from the output ``tags``."""
        version = answered.version
        ignored = ("O",) if self.ignore_labels is None else self.ignore_labels
        how = version.labels, version.tokenizer, self.aggregation_strategy or default, ignored
        each = zip(answered.readings, answered.pieces, strict=True)
        return [[_plain(one) for one in aggregated(reading, rows, *how)] for reading, rows in each]


class FillParameters(Parameters):
    """The parameters of fill-mask."""

    does: ClassVar[str] = "fills in words"

    top_k: int | None = Field(None, ge=1, description="Number of words per [MASK]; default: the model's own.")
    targets: Annotated[str | list[str] | None, must_be("a word, or a list of words", AT)] = Field(
        None,
        description="The only words to choose from. One that is not in the vocabulary is represented by its first "
        "piece, whose entry then names it in targets.",
    )
    padding: NoEffect[bool | str] = None
    batch_size: NoEffect[int] = None

    def spec(self, version: Version) -> TaskSpec:
        """The spec to answer with.

        Raises:
            Problem: a value is out of its range.
        """
        return chosen(version.spec, self.top_k, [self.targets] if isinstance(self.targets, str) else self.targets, AT)

    def answers(self, answered: Answered) -> list[Any]:
        """The pipeline's answer to each text, from the output ``vocabulary``."""
        spec = answered.spec
        assert isinstance(spec, Spec), "a model without this output was refused"
        return [entries(spec, reading, rows) for reading, rows in zip(answered.readings, answered.pieces, strict=True)]


class ZeroShotParameters(Parameters):
    """The parameters of zero-shot classification."""

    does: ClassVar[str] = "chooses among labels of the request"

    candidate_labels: Annotated[
        str | Annotated[list[str], Field(fail_fast=True)], must_be("a list of labels, or labels with commas", AT)
    ] = Field(
        description="Labels to choose from: a list, or one string with commas.", examples=[["refund", "delivery"]]
    )
    hypothesis_template: Annotated[str | None, must_be("a string or null", AT)] = Field(
        None, description=f"A sentence about a label, which stands at {{}}; default: {PIPELINE_TEMPLATE}"
    )
    multi_label: Annotated[bool | None, must_be("true, false or null", AT)] = Field(
        None, description="Judge each label by itself. The default is false: the scores sum to 1."
    )
    padding: NoEffect[bool | str] = None
    truncation: NoEffect[Cut] = None
    batch_size: NoEffect[int] = None

    @property
    def candidates(self) -> Candidates:
        """The labels to choose from.

        Raises:
            Problem: a value cannot be used.
        """
        fields = (f"{AT}candidate_labels", f"{AT}hypothesis_template")
        return candidates_of(
            self.candidate_labels, self.hypothesis_template, bool(self.multi_label), fields, PIPELINE_TEMPLATE
        )


def _plain(entry: Entry) -> Entry:
    """The entry with a Python float, for JSON."""
    return {**entry, "score": float(entry["score"])}


# By task; others have ``Parameters``.
PARAMETERS: Mapping[str, type[Parameters]] = {
    "classify": TextParameters,
    "tag": TokenParameters,
    "fill": FillParameters,
}
