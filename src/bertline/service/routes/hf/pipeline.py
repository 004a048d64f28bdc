"""The parameters of ``transformers``' text classification pipeline, for both dialects whose clients send them.

The pipeline hands what it does not know to the tokenizer, which logs it or raises. Here each parameter is honoured, has
no bearing on the answer, or is refused by name: Hugging Face's toolkits answer 400 to whatever the pipeline raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from bertline.service.routes.fields import Exact
from bertline.service.routes.tei.schema import must_be
from bertline.serving.problems import Code, Problem
from bertline.statistics.activation import Activation
from bertline.text import Policy

AT = "parameters."
# Parameters that only other tasks have, whose clients would take the answer for theirs.
OTHER_TASKS: Mapping[str, str] = {
    "candidate_labels": "zero-shot-classification",
    "aggregation_strategy": "token-classification",
    "ignore_labels": "token-classification",
    "targets": "fill-mask",
}
WHOLE = (False, "do_not_truncate")
Cut = Annotated[
    Literal["longest_first", "only_first", "do_not_truncate"] | bool | None,
    must_be('true, false, "longest_first", "only_first" or "do_not_truncate"', AT),
]
Function = Annotated[Activation | Literal["none"] | None, must_be("softmax, sigmoid or none", AT)]


class PipelineParameters(Exact):
    """How to classify."""

    at: ClassVar[str] = AT

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
    padding: bool | str | None = Field(None, description="Accepted without effect.")
    batch_size: int | None = Field(None, description="Accepted without effect.")

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

    @classmethod
    def unknown(cls, name: str) -> Problem:
        """What a request with this parameter is told: whose it is, if it is another task's."""
        if name not in OTHER_TASKS:
            return super().unknown(name)
        field = f"{AT}{name}"
        return Problem(
            Code.UNSUPPORTED,
            f"{field} is a parameter of {OTHER_TASKS[name]}, and this model classifies and embeds texts: "
            "use a model for that task.",
            field,
        )
