"""The files that make a checkpoint a model of ``sentence-transformers``: how states become an embedding.

``modules.json`` lists the steps after the encoder: pooling, then perhaps a dense layer, then perhaps division by the
length. Of these, bertline computes the mean, the first token, and the first token with a dense layer of the same width
and tanh, which is BERT's pooler (LaBSE has it).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bertline.errors import CheckpointError
from bertline.text.json_file import read_json

SentencePooling = Literal["mean", "cls", "pooled"]

MODULES = "modules.json"
LENGTH = "sentence_bert_config.json"
PROMPTS = "config_sentence_transformers.json"
DENSE = "2_Dense"
_FLAGS = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens"}
_FLAGS |= {"mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens"}
_OTHERS = {"pooling_mode_weightedmean_tokens": "weightedmean", "pooling_mode_lasttoken": "lasttoken"}
_TANH = "torch.nn.modules.activation.Tanh"
_TYPE = "sentence_transformers.models"


@dataclass(frozen=True, slots=True)
class Modules:
    """The steps from states to an embedding.

    Attributes:
        pooling: of the states.
        normalised: whether an embedding is divided by its length.
        dense: folder of the dense layer of ``pooled``.
        max_tokens: maximum tokens of a text; None is as many as the encoder has positions.
    """

    pooling: SentencePooling
    normalised: bool
    dense: str = DENSE
    max_tokens: int | None = None


def is_sentence_model(directory: Path) -> bool:
    """Whether a directory has the files of ``sentence-transformers``."""
    return (directory / MODULES).is_file()


def read_modules(directory: Path, hidden: int) -> Modules:
    """The steps of a model of ``sentence-transformers``.

    Args:
        directory: of the model.
        hidden: width of its states.

    Raises:
        CheckpointError: a file cannot be read, or a step is none that bertline computes.
    """
    path = directory / MODULES
    try:
        entries = [one for one in json.loads(path.read_text(encoding="utf-8")) if isinstance(one, dict)]
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path} is no list of modules ({error}): copy it again from the model's source"
        ) from None
    steps = [(str(one.get("type", "")).rpartition(".")[2], str(one.get("path", ""))) for one in entries]
    match [kind for kind, _ in steps]:
        case ["Transformer", "Pooling", *rest] if rest in ([], ["Normalize"], ["Dense"], ["Dense", "Normalize"]):
            pass
        case kinds:
            raise CheckpointError(
                f"{path} has the modules {', '.join(kinds) or 'none'}: bertline computes Transformer, "
                "Pooling, Dense and Normalize, in this order; give another model"
            )
    if steps[0][1]:
        raise CheckpointError(
            f"{path} has its Transformer in the folder {steps[0][1]}: move its files to {directory} and "
            'set its path to ""'
        )
    _check_prompt(directory)
    pooling = _pooling(directory / steps[1][1] / "config.json")
    dense = next((path for kind, path in steps if kind == "Dense"), None)
    if dense is not None:
        _check_dense(directory / dense / "config.json", pooling, hidden)
    return Modules("pooled" if dense else pooling, steps[-1][0] == "Normalize", dense or DENSE, _length(directory))


def write_modules(directory: Path, pooling: SentencePooling, hidden: int, *, normalised: bool) -> None:
    """Write the steps; the weights of ``pooled`` are not among them."""
    steps = [("Transformer", ""), ("Pooling", "1_Pooling"), *([("Dense", DENSE)] if pooling == "pooled" else [])]
    steps += [("Normalize", f"{len(steps)}_Normalize")] if normalised else []
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"{_TYPE}.{kind}"} for i, (kind, path) in enumerate(steps)
    ]
    _write(directory / MODULES, listed)
    own = "mean" if pooling == "mean" else "cls"
    flags = {flag: name == own for name, flag in _FLAGS.items()}
    _write(directory / "1_Pooling" / "config.json", {"word_embedding_dimension": hidden, **flags})
    if pooling == "pooled":
        shape = {"in_features": hidden, "out_features": hidden, "bias": True, "activation_function": _TANH}
        _write(directory / DENSE / "config.json", shape)


def write_length(directory: Path, max_tokens: int) -> None:
    """Write the maximum tokens of a text."""
    _write(directory / LENGTH, {"max_seq_length": max_tokens, "do_lower_case": False})


def _pooling(path: Path) -> SentencePooling:
    content = read_json(path)
    named = content.get("pooling_mode")
    flags = {flag: name for name, flag in _FLAGS.items()} | _OTHERS
    modes = [named] if isinstance(named, str) else named or [name for flag, name in flags.items() if content.get(flag)]
    if modes == ["mean"]:
        return "mean"
    if modes == ["cls"]:
        return "cls"
    raise CheckpointError(
        f"{path} has the pooling {', '.join(map(str, modes)) or 'none'}: bertline computes mean and cls; give another "
        "model"
    )


def _check_dense(path: Path, pooling: SentencePooling, hidden: int) -> None:
    content = read_json(path)
    wanted = {"in_features": hidden, "out_features": hidden, "bias": True, "activation_function": _TANH}
    different = {key: content.get(key) for key, one in wanted.items() if content.get(key) != one}
    if different or pooling != "cls" or content.get("use_residual"):
        raise CheckpointError(
            f"{path} describes a dense layer that is not BERT's pooler, which follows cls pooling, has {hidden} inputs "
            f"and outputs, a bias and tanh: bertline computes no other; give another model"
        )


def _check_prompt(directory: Path) -> None:
    path = directory / PROMPTS
    content = read_json(path)
    name = content.get("default_prompt_name")
    if name is not None and (content.get("prompts") or {}).get(name):
        raise CheckpointError(
            f"{path} puts the prompt {name!r} before every text, which bertline does not: set default_prompt_name to "
            "null there, and write the prompt into the texts"
        )


def _length(directory: Path) -> int | None:
    """The maximum tokens of a text; in newer models the tokenizer's own."""
    path = directory / LENGTH
    most = read_json(path).get("max_seq_length")
    if most is not None and not (type(most) is int and most > 0):
        raise CheckpointError(f"{path} sets max_seq_length to {most!r}: it must be a whole number above 0, or null")
    own = read_json(directory / "tokenizer_config.json").get("model_max_length")
    return most or (int(own) if isinstance(own, int | float) and own > 0 else None)


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
