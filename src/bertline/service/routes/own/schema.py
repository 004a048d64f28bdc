"""Requests and responses of the service's own API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bertline.service.routes.chosen import chosen
from bertline.service.routes.pairs import Pair, input_of
from bertline.service.routes.zero_shot import candidates_of
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.serving.version import Version
from bertline.tasks.contract import TaskSpec
from bertline.tasks.zero_shot import TEMPLATE, Candidates
from bertline.text import Input, Policy

Probability = Annotated[float, Field(ge=0, le=1)]


class Texts(BaseModel):
    """One text in ``text`` or several in ``texts``, and the model."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "oneOf": [{"required": ["text"]}, {"required": ["texts"]}],
            "examples": [{"text": "A quiet film that stays with you for days."}],
        },
    )

    text: str | None = Field(None, description="One text. Either this or texts.")
    # fail_fast: two million invalid entries would create as many errors, of which one is returned
    texts: Annotated[list[str], Field(fail_fast=True)] | None = Field(
        None, description="Several texts, answered in order."
    )
    model: str | None = Field(None, description="Name of the model; required only if several are served.")

    def named_texts(self) -> tuple[str, list[str]]:
        """The name of the field, and its texts.

        Raises:
            Problem: the request has neither field, or both.
        """
        if self.text is not None and self.texts is not None:
            raise Problem(Code.CONFLICTING_FIELDS, "Send either text or texts, not both.", "texts")
        if self.texts is not None:
            return "texts", self.texts
        if self.text is None:
            raise Problem(Code.MISSING_FIELD, "Send one text in text, or several in texts.", "text")
        return "text", [self.text]


def check_entries(value: Any) -> Any:
    """Reject an entry that is neither a text nor a pair, in one sentence."""
    for place, one in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(one, str) and not _is_pair(one):
            field = f"texts[{place}]"
            message = f'{field} must be a text, or a pair as in {{"text": "…", "text_pair": "…"}}.'
            raise Problem(Code.WRONG_TYPE, message, field)
    return value


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() == {"text", "text_pair"}
        and all(isinstance(text, str) for text in value.values())
    )


class PredictRequest(Texts):
    """Texts or pairs to predict."""

    text_pair: str | None = Field(None, description="A second text, read together with text.")
    texts: Annotated[list[str | Pair], BeforeValidator(check_entries)] | None = Field(  # type: ignore[assignment]
        None, description="Several texts or pairs, answered in order."
    )
    top_k: int | None = Field(
        None,
        ge=1,
        description="Number of labels per text, for a model that ranks labels; default: all. For a model that fills "
        "in words, number of words per [MASK]; default: the model's own, usually 5.",
    )
    targets: list[str] | None = Field(
        None, description="The only words to choose from, for a model that fills in words."
    )
    labels: list[str] | None = Field(
        None,
        description="Labels to choose from instead of the model's own, for embedding models and models of textual "
        "entailment.",
    )
    template: str | None = Field(
        None, description=f"With labels: a sentence about a label, which stands at {{}}; default: {TEMPLATE}"
    )
    several: bool | None = Field(None, description="With labels: judge each by itself, for models of entailment.")
    truncation: Policy | None = Field(
        None,
        description="Part to read of a text that is too long: head and tail, one of them, or all of it in windows; "
        "error rejects such a text. Default: the model's own.",
    )

    def named_inputs(self) -> tuple[str, list[Input]]:
        """The name of the field, and its texts and pairs.

        Raises:
            Problem: as ``named_texts``, or a second text without a first one.
        """
        if self.text_pair is not None and self.text is None:
            raise Problem(
                Code.CONFLICTING_FIELDS if self.texts is not None else Code.MISSING_FIELD,
                "text_pair goes with text: send both, or pairs in texts.",
                "text_pair",
            )
        field, texts = self.named_texts()
        if self.text_pair is not None:
            return field, [(texts[0], self.text_pair)]
        return field, [input_of(one) for one in texts]

    def candidates(self) -> Candidates | None:
        """The labels to choose from; None is the model's own task.

        Raises:
            Problem: they cannot be used, or fields go with each other that are not there or do not.
        """
        if self.labels is None:
            for name in ("template", "several"):
                if getattr(self, name) is not None:
                    raise Problem(Code.MISSING_FIELD, f"{name} goes with labels: send the labels to choose from.", name)
            return None
        for name in ("text_pair", "targets", "truncation"):
            if getattr(self, name) is not None:
                raise Problem(Code.CONFLICTING_FIELDS, f"{name} does not go with labels: leave it out.", name)
        for place, one in enumerate(self.texts or ()):
            if not isinstance(one, str):
                field = f"texts[{place}]"
                raise Problem(
                    Code.CONFLICTING_FIELDS, f"{field} is a pair and labels go with single texts: send one text.", field
                )
        return candidates_of(self.labels, self.template, bool(self.several), ("labels", "template"))

    def spec(self, version: Version) -> TaskSpec:
        """The spec to answer with.

        Raises:
            Problem: the model fills in no words, or not these.
        """
        if version.spec.chooses:
            return chosen(version.spec, self.top_k, self.targets)
        if self.targets is not None:
            message = f"{version.name} does not fill in words: leave targets out."
            raise Problem(Code.UNSUPPORTED, message, "targets")
        return version.spec

    def top(self, version: Version) -> dict[str, int]:
        """``top_k``, if given, as an argument of the answers.

        Raises:
            Problem: the model does not rank labels.
        """
        if self.top_k is None or version.spec.chooses:
            return {}
        if not version.spec.ranked:
            raise Problem(Code.UNSUPPORTED, f"{version.name} does not rank labels: leave top_k out.", "top_k")
        return {"top_k": self.top_k}


class TokenizeRequest(Texts):
    """Texts to tokenise."""


class LoadRequest(BaseModel):
    """A bundle to load."""

    model_config = ConfigDict(extra="forbid", strict=True)

    bundle: str = Field(min_length=1, description="Its directory on the machine that serves.")


class ModelReference(BaseModel):
    """The model that answered."""

    name: str
    version: str = Field(description="A hash of the bundle's files.")


class LabelProbability(BaseModel):
    """One label and its probability."""

    label: str
    probability: Probability = Field(description="Calibrated: about 80 % of the answers with 0.8 are right.")


class TextAnswer(BaseModel):
    """The common fields of all answers."""

    read_tokens: int = Field(description="Tokens that the model read, including [CLS] and [SEP].")
    cut_tokens: int = Field(description="Tokens cut off because the text was too long; else 0.")
    windows: int | None = Field(None, description="Number of windows of a long text. Absent if there is one.")


class TextLabels(TextAnswer):
    """The labels of one text."""

    label: str = Field(description="The most probable label.")
    labels: list[str] | None = Field(
        None, description="If a text may have several labels: those whose probability reaches their threshold."
    )
    probabilities: list[LabelProbability] = Field(description="Most probable first; at most top_k.")


class TextNumber(TextAnswer):
    """The number of one text."""

    number: float


class TextScore(TextAnswer):
    """The score of one text for its query."""

    score: float = Field(description="Relevance: a probability, or a grade where the model learned grades.")


class TextEntity(BaseModel):
    """An entity."""

    start: int = Field(description="First character: a code point of the raw text, from 0.")
    end: int = Field(description="The character after the last one.")
    label: str = Field(description="Type of the entity.")
    text: str = Field(description="Text of the entity.")
    score: Probability = Field(description="Mean probability of this type over its words.")


class TextEntities(TextAnswer):
    """The entities of one text, in order."""

    entities: list[TextEntity]


class FilledToken(BaseModel):
    """A word for a [MASK]."""

    token: str = Field(description="As the tokenizer writes it; ## begins a further piece of a word.")
    id: int = Field(description="In the vocabulary.")
    probability: Probability = Field(description="Among the whole vocabulary, whatever the targets are.")
    targets: list[str] | None = Field(
        None, description="The targets that it stands for as their first piece. Absent if it is the target itself."
    )


class FilledMask(BaseModel):
    """One [MASK]."""

    start: int = Field(description="First character: a code point of the raw text, from 0.")
    end: int = Field(description="The character after the last one.")
    tokens: list[FilledToken] = Field(description="Most probable first.")


class TextMasks(TextAnswer):
    """The words for one text."""

    filled: str = Field(description="The text with the most probable word for each [MASK].")
    masks: list[FilledMask] = Field(description="In the order of the text.")
    cut_masks: int = Field(description="How many [MASK] were cut off because the text was too long; else 0.")


class TextEmbedding(TextAnswer):
    """The embedding of one text."""

    embedding: list[float]


Prediction = TextLabels | TextNumber | TextEntities | TextScore | TextMasks | TextEmbedding


def predictions_of(answered: Answered, top: Mapping[str, int]) -> list[dict[str, object]]:
    """The JSON of the answers; ``top`` is from ``PredictRequest.top``."""
    predictions: list[dict[str, object]] = []
    for answer, reading in zip(answered.answers, answered.readings, strict=True):
        windows = {"windows": len(reading.pieces)} if len(reading.pieces) > 1 else {}
        predictions.append(answer.to_json(**top) | windows)
    return predictions


class PredictResponse(BaseModel):
    """The answers, in the order of the texts."""

    model: ModelReference
    predictions: list[Prediction] | list[dict[str, Any]] = Field(description="Their form depends on the model's task.")


class Token(BaseModel):
    """A token and its characters, from start up to end."""

    id: int
    token: str
    start: int
    end: int


class TextTokens(BaseModel):
    """The tokens of one text, without [CLS] and [SEP]."""

    tokens: list[Token]
    read_tokens: int = Field(description="Tokens that the model would read, including [CLS] and [SEP].")
    cut_tokens: int = Field(description="Tokens that it would cut off.")


class TokenizeResponse(BaseModel):
    """The tokens, in the order of the texts."""

    model: ModelReference
    texts: list[TextTokens]


class MeasuredFigure(BaseModel):
    """A figure measured on held-out text, with its 95 % interval if there is one."""

    value: float
    low: float | None = None
    high: float | None = None


class ModelDescription(BaseModel):
    """A served model."""

    name: str
    version: str
    task: Mapping[str, Any] = Field(description="The task, as in its bundle.")
    labels: list[str]
    multi_label: bool = Field(description="Whether a text may have several labels.")
    max_tokens: int = Field(description="Maximum tokens of a text, including [CLS] and [SEP].")
    truncation: str = Field(description="Part read of a text that is too long.")
    engine: str = Field(description="The engine that computes it.")
    ready: bool = Field(description="Whether its worker is running.")
    metrics: Mapping[str, MeasuredFigure] = Field(description="Figures measured in training, by name.")


class Limits(BaseModel):
    """The limits of a request."""

    max_batch_texts: int
    max_chars: int = Field(description="Characters of one text.")
    max_request_tokens: int = Field(description="Tokens of all texts, over all windows.")
    max_body_bytes: int
    nearest_texts: bool = Field(description="Whether explanations may show the nearest rows of a model's bundle.")


class OpenAIModel(BaseModel):
    """A model in OpenAI's format."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelsResponse(BaseModel):
    """The models, the default one first, and the limits of a request."""

    models: Sequence[ModelDescription]
    limits: Limits
    object: Literal["list"] = "list"
    data: Sequence[OpenAIModel] = Field(description="The same models in OpenAI's format.")


class ModelState(BaseModel):
    """The current version of a model, and the previous one."""

    current: ModelDescription
    previous: ModelDescription | None


class Health(BaseModel):
    """The confirmed state: live or ready."""

    status: str
