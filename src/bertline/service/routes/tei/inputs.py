"""TEI's ``inputs``: one text, a pair, a batch of either, or token ids."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Request

from bertline.service.name_convertor import converted
from bertline.service.routes.context import ServingNow
from bertline.service.routes.tei.schema import Ids
from bertline.service.settings import ServeSettings
from bertline.serving.problems import Code, Problem
from bertline.serving.version import Version
from bertline.text import Input


async def model_of(request: Request, serving: ServingNow) -> Version:
    """The current version of the model in the path, else of the first one."""
    return serving.models.named(request.path_params.get("name", serving.models.names[0]))


MODEL_PATH = converted("/models/{name}")
# For the OpenAPI description; a declared parameter would add an error response that cannot happen.
MODEL_IN_PATH: dict[str, Any] = {
    "name": "name", "in": "path", "required": True, "description": "Name of the model.", "schema": {"type": "string"}
}  # fmt: skip
VersionNow = Annotated[Version, Depends(model_of)]


def no_prompts(name: str | None) -> None:
    """Reject a prompt: bundles have none.

    Raises:
        Problem: there is a prompt.
    """
    if name is not None:
        raise Problem(Code.UNSUPPORTED, "The model has no prompts: leave prompt_name out.", "prompt_name")


def predict_inputs(inputs: str | list[str] | list[list[str]], version: Version) -> tuple[list[Input], bool]:
    """The texts or pairs to classify, and whether there is a single one, whose answer is a flat list.

    Raises:
        Problem: a list is empty or too long, or it is a pair and the model reads single texts.
    """
    if isinstance(inputs, str):
        return [inputs], True
    not_empty(inputs, "inputs")
    if isinstance(inputs[0], str):
        return [_input(inputs, "inputs", version)], True
    return [_input(one, f"inputs[{place}]", version) for place, one in enumerate(inputs)], False


def _input(texts: Sequence[str], field: str, version: Version) -> Input:
    match texts:
        case [text]:
            return text
        case [first, second] if version.reads_pairs:
            return first, second
        case [_, _]:
            raise Problem(
                Code.UNSUPPORTED,
                f'{field} is a pair of texts and this model reads single ones: send [["a"], ["b"]] for two texts.',
                field,
            )
    raise Problem(
        Code.WRONG_TYPE,
        f'{field} has {len(texts)} texts in a list: send [["a"], ["b"]], each in a list of its own.',
        field,
    )


def as_batch(inputs: str | Ids | list[str | Ids]) -> list[str | Ids]:
    """The texts, or their ids, as a list.

    Raises:
        Problem: it is empty.
    """
    if isinstance(inputs, str):
        return [inputs]
    not_empty(inputs, "inputs")
    return [inputs] if isinstance(inputs[0], int) else [*inputs]


def not_empty(batch: Sequence[object], field: str) -> None:
    """Reject an empty batch."""
    if not batch:
        raise Problem(Code.EMPTY_TEXT, f"{field} is an empty list: send at least one text.", field)


async def texts_of(batch: Sequence[str | Ids], version: Version, settings: ServeSettings) -> list[str]:
    """The texts of a batch; ids are decoded, as by TEI.

    Raises:
        Problem: an id is not in the vocabulary, or there are more ids than a text may have characters.
    """
    if all(isinstance(one, str) for one in batch):
        return [one for one in batch if isinstance(one, str)]
    for place, one in enumerate(batch):
        if not isinstance(one, str):
            check_ids(one, version, settings, f"inputs[{place}]")

    return await asyncio.to_thread(lambda: [one if isinstance(one, str) else _decoded(one, version) for one in batch])


def check_ids(ids: Ids, version: Version, settings: ServeSettings, field: str) -> None:
    """Check that all ids are in the vocabulary, and that there are not too many.

    Raises:
        Problem: names the first fault.
    """
    if len(ids) > settings.max_chars:
        raise Problem(
            Code.TEXT_TOO_LONG,
            f"{field} has {len(ids):,} token ids and the limit is {settings.max_chars:,}: send a part of it.",
            field,
        )
    size = version.tokenizer.vocab_size
    wrong = next((place for place, one in enumerate(ids) if one >= size), None)
    if wrong is not None:
        raise Problem(
            Code.OUT_OF_RANGE,
            f"{field}[{wrong}] must be less than {size:,}, the size of the vocabulary of {version.name}.",
            f"{field}[{wrong}]",
        )


def _decoded(ids: Ids, version: Version) -> str:
    """The text without [CLS], [SEP] and padding, which are added again when it is read; [UNK] and [MASK] stay."""
    tokenizer = version.tokenizer
    framing = (tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id)
    return tokenizer.decode([one for one in ids if one not in framing], skip_special_tokens=False)
