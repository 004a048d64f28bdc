"""Build the tokenizer of a published checkpoint from its files, as ``transformers`` 5 does.

The class named in the files decides. Those of ``tokenizer_classes`` take the vocabulary and rebuild the rest from
``tokenizer_config.json``; ``PreTrainedTokenizerFast`` takes ``tokenizer.json`` as it is. Then tokens are added
(``added_tokens``). Settings without effect in ``transformers`` have none here, and a warning names them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers

from bertline.errors import CheckpointError, CheckpointWarning
from bertline.text.added_tokens import ROLES, Added, add_tokens, left_out, read_added
from bertline.text.json_file import read_json
from bertline.text.tokenizer_classes import CLASSES, FAIRSEQ_SPECIALS, SPECIALS, Settings, TokenizerClass
from bertline.text.tokenizer_settings import (
    AS_IT_IS,
    BERT,
    FILE,
    NORMALISATION,
    Kind,
    class_of,
    ignored_settings,
    require_known,
)

_AGAIN = "copy it again from the model's source"
_PROBES = ("", "a film", "Ünknown 中文 🎬 x1, b!")
_VOCABULARY = ("vocab", "merges")
_PARTS = {"normalizer": "normaliser", "pre_tokenizer": "pre-tokenizer", "model": "model"}


@dataclass(frozen=True, slots=True)
class Published:
    """An HF fast tokenizer, the token of each role in ``SPECIALS``, and the file that it was read from."""

    wordpiece: tokenizers.Tokenizer
    specials: Mapping[str, str]
    origin: Path


def read_published(directory: Path) -> Published:
    """The tokenizer of the checkpoint in ``directory``.

    A ``CheckpointWarning`` names each setting and token that has no effect.

    Raises:
        CheckpointError: no tokenizer, an unreadable file, an unsupported class or setting, or contradictory ids of
            added tokens.
    """
    config = read_json(directory / FILE)
    fast = directory / "tokenizer.json"
    kind = class_of(directory, config, serialised=fast.is_file())
    origin = fast if fast.is_file() else _vocabulary(directory, kind)
    require_known(directory / FILE, config)
    serialised = load_fast(fast) if origin == fast else None
    own = CLASSES.get(kind)
    added = read_added(directory, config, () if own is None else own.extra)
    settings = Settings(config, directory / FILE)
    defaults: Mapping[str, str | tokenizers.AddedToken] = {}
    if own is None:
        if serialised is None:
            raise CheckpointError(f"{directory} has no tokenizer.json, which the class {AS_IT_IS} needs: {_AGAIN}")
        wordpiece = tokenizers.Tokenizer.from_str(serialised.to_str())
        specials = specials_of(added.named, wordpiece)
    else:
        specials = {role: _content(added.named.get(role) or own.specials[role]) for role in SPECIALS}
        wordpiece, defaults = _rebuilt(own, serialised, settings, specials["unk_token"], origin), own.specials
    there = {*wordpiece.get_vocab(with_added_tokens=True), *(token.content for token, _ in added.declared.values())}
    for token in specials.values():
        if token not in there:  # transformers adds it, with an untrained embedding
            raise _lacks(token, str(origin))
    add_tokens(wordpiece, added, {role: defaults.get(role) for role in ROLES} | added.named)
    if own is not None:
        cls, sep = (
            (token, require_special(wordpiece, token, str(origin)))
            for token in (specials["cls_token"], specials["sep_token"])
        )
        wordpiece.post_processor = own.processor(cls, sep, settings)
    _require_framed(wordpiece, specials, origin)
    for sentence in _without_effect(directory, kind, config, added, wordpiece, serialised):
        warnings.warn(CheckpointWarning(sentence), stacklevel=3)
    return Published(wordpiece, specials, origin)


def _vocabulary(directory: Path, kind: Kind) -> Path:
    """The first file of a vocabulary without ``tokenizer.json``.

    Raises:
        CheckpointError: there is none that bertline reads.
    """
    files = CLASSES[kind].files if kind in CLASSES else CLASSES[BERT].files
    if files and all((directory / name).is_file() for name in files):
        return directory / files[0]
    if sentencepiece := sorted(directory.glob("*.model")):
        raise CheckpointError(
            f"{directory} has no tokenizer.json, only {sentencepiece[0].name}, which bertline does not read: save the "
            "tokenizer there again with save_pretrained of transformers"
        )
    needed = " or ".join(("tokenizer.json", *filter(None, (" and ".join(files),))))
    raise CheckpointError(f"{directory} has no tokenizer: it needs {needed} beside config.json")


def _rebuilt(
    own: TokenizerClass, serialised: tokenizers.Tokenizer | None, settings: Settings, unknown: str, origin: Path
) -> tokenizers.Tokenizer:
    """The tokenizer that a class builds from the vocabulary, before tokens are added."""
    normalizer: Mapping[str, Any] = {}
    if serialised is None:
        model: Mapping[str, Any] = own.read_files(origin.parent)
    elif own.model is None:
        model = {"vocab": serialised.get_vocab(with_added_tokens=False)}
    else:
        parts = parts_of(serialised)
        model, normalizer = parts["model"], parts["normalizer"] or {}
        if model.get("type") != own.model:
            raise CheckpointError(
                f"{origin} has a {model.get('type')} model, but its tokenizer class needs {own.model}: name the class "
                f"{AS_IT_IS} in {FILE}"
            )
    if own.model is None and unknown not in model["vocab"]:
        raise _lacks(unknown, str(origin))
    return own.build(model, normalizer, settings, unknown)


def load_fast(path: Path) -> tokenizers.Tokenizer:
    """The tokenizer in a ``tokenizer.json``, without its truncation and padding.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        wordpiece = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust side raises bare Exception
        raise CheckpointError(f"{path} cannot be read as a tokenizer ({error}): {_AGAIN}") from error
    wordpiece.no_truncation()
    wordpiece.no_padding()
    return wordpiece


def specials_of(named: Mapping[str, Any], wordpiece: tokenizers.Tokenizer) -> dict[str, str]:
    """The token of each role in ``SPECIALS``: the named one, or else the usual one that is there."""
    usual = {
        role: next((one for one in (token, FAIRSEQ_SPECIALS[role]) if wordpiece.token_to_id(one) is not None), token)
        for role, token in SPECIALS.items()
    }
    return {role: _content(named.get(role) or token) for role, token in usual.items()}


def _content(token: Any) -> str:
    return str(getattr(token, "content", token))


def require_special(wordpiece: tokenizers.Tokenizer, token: str, origin: str) -> int:
    """The id of a special token.

    Raises:
        CheckpointError: the vocabulary lacks it.
    """
    id_ = wordpiece.token_to_id(token)
    if id_ is None:
        raise _lacks(token, origin)
    return int(id_)


def parts_of(wordpiece: tokenizers.Tokenizer) -> dict[str, Any]:
    """A tokenizer in the form of ``tokenizer.json``."""
    content: dict[str, Any] = json.loads(wordpiece.to_str())
    return content


def _lacks(token: str, origin: str) -> CheckpointError:
    return CheckpointError(
        f"{origin} has no {token} in its vocabulary: bertline needs BERT's special tokens or their equals"
    )


def _require_framed(wordpiece: tokenizers.Tokenizer, specials: Mapping[str, str], origin: Path) -> None:
    """Check that texts can be encoded, and that their ids are between [CLS] and [SEP]."""
    if parts_of(wordpiece)["model"].get("dropout"):
        raise CheckpointError(
            f"{origin} drops merges at random (dropout), so the ids of a text vary: set dropout to null"
        )
    cls, sep = (wordpiece.token_to_id(specials[role]) for role in ("cls_token", "sep_token"))
    for text in _PROBES:
        try:
            ids = wordpiece.encode(text, add_special_tokens=False).ids
            framed = wordpiece.encode(text).ids
        except Exception as error:  # the Rust side raises bare Exception
            raise CheckpointError(f"{origin} cannot encode a text ({error}): {_AGAIN}") from error
        if framed != [cls, *ids, sep]:
            raise CheckpointError(
                f"{origin} does not put a text between {specials['cls_token']} and {specials['sep_token']}, as an "
                "encoder needs: give its post_processor that template"
            )


def _without_effect(
    directory: Path,
    kind: Kind,
    config: Mapping[str, Any],
    added: Added,
    wordpiece: tokenizers.Tokenizer,
    serialised: tokenizers.Tokenizer | None,
) -> Iterator[str]:
    """A warning for each setting and file without effect."""
    parts = parts_of(wordpiece)
    used = CLASSES[kind].settings if kind in CLASSES else frozenset()
    yield from ignored_settings(directory / FILE, config, kind, parts["normalizer"] or {}, used)
    yield from left_out(wordpiece, added)
    if kind not in CLASSES or serialised is None:
        return
    theirs = parts_of(serialised)
    differing = [name for part, name in _PARTS.items() if _differ(part, theirs[part] or {}, parts[part] or {})]
    if differing:
        verb = "has" if len(differing) == 1 else "have"
        yield (
            f"{directory / 'tokenizer.json'}: its {' and '.join(differing)} {verb} no effect, because transformers "
            f"builds a {kind} from its vocabulary and the settings in {FILE}, and so does bertline: if the model was "
            f'trained with this file, set "tokenizer_class" to "{AS_IT_IS}" there'
        )


def _differ(part: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether two parts of a ``tokenizer.json`` differ in effect, except in the vocabulary."""
    if part == "normalizer" and theirs.get("type") == ours.get("type") == "BertNormalizer":
        return any(theirs.get(name) != ours[name] for name in ("clean_text", *NORMALISATION.values()))
    if not ours or not theirs:
        return bool(ours) != bool(theirs)
    # A setting that is absent, null, "" or false has no effect.
    return any((theirs.get(name) or None) != (value or None) for name, value in ours.items() if name not in _VOCABULARY)
