"""Build the tokenizer of a published checkpoint from its files, as ``transformers`` 5 does.

The class named in the files decides. ``BertTokenizer`` takes the vocabulary and rebuilds the rest from
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
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from bertline.errors import CheckpointError, CheckpointWarning
from bertline.text.added_tokens import ROLES, Added, add_tokens, left_out, read_added
from bertline.text.json_file import read_json
from bertline.text.tokenizer_settings import (
    AS_IT_IS,
    BERT,
    FILE,
    NORMALISATION,
    Kind,
    class_of,
    ignored_settings,
    require_known,
    switch,
)

SPECIALS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_AGAIN = "copy it again from the model's source"
_PROBES = ("", "a film", "Ünknown 中文 🎬 x1, b!")
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
    fast, vocabulary = directory / "tokenizer.json", directory / "vocab.txt"
    origin = fast if fast.is_file() else vocabulary
    if not origin.is_file():
        raise CheckpointError(f"{directory} has no tokenizer: it needs tokenizer.json or vocab.txt beside config.json")
    kind = class_of(directory, config, serialised=origin == fast)
    require_known(directory / FILE, config)
    serialised = load_fast(fast) if origin == fast else None
    added = read_added(directory, config)
    specials = specials_of(added.named)
    if kind == BERT:
        words = _read_vocabulary(vocabulary) if serialised is None else serialised.get_vocab(with_added_tokens=False)
        if specials["unk_token"] not in words:
            raise _lacks(specials["unk_token"], str(origin))
        wordpiece = _bert(words, config, specials["unk_token"], directory / FILE)
        own: Mapping[str, str] = SPECIALS
    else:
        if serialised is None:
            raise CheckpointError(f"{directory} has no tokenizer.json, which the class {AS_IT_IS} needs: {_AGAIN}")
        wordpiece, own = tokenizers.Tokenizer.from_str(serialised.to_str()), {}
    there = {*wordpiece.get_vocab(with_added_tokens=True), *(token.content for token, _ in added.declared.values())}
    for token in specials.values():
        if token not in there:  # transformers adds it, with an untrained embedding
            raise _lacks(token, str(origin))
    add_tokens(wordpiece, added, {role: own.get(role) for role in ROLES} | added.named)
    if kind == BERT:
        wordpiece.post_processor = frame(wordpiece, specials)
    _require_framed(wordpiece, specials, origin)
    for sentence in _without_effect(directory, kind, config, added, wordpiece, serialised):
        warnings.warn(CheckpointWarning(sentence), stacklevel=3)
    return Published(wordpiece, specials, origin)


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


def specials_of(named: Mapping[str, Any]) -> dict[str, str]:
    """The token of each role in ``SPECIALS``: the named one, or else BERT's."""
    return {
        role: str(getattr(named.get(role), "content", named.get(role)) or token) for role, token in SPECIALS.items()
    }


def require_special(wordpiece: tokenizers.Tokenizer, token: str, origin: str) -> int:
    """The id of a special token.

    Raises:
        CheckpointError: the vocabulary lacks it.
    """
    id_ = wordpiece.token_to_id(token)
    if id_ is None:
        raise _lacks(token, origin)
    return int(id_)


def frame(wordpiece: tokenizers.Tokenizer, specials: Mapping[str, str]) -> processors.TemplateProcessing:
    """The template [CLS], text, [SEP]; for a pair also the other text and another [SEP], in segment 1."""
    cls, sep = specials["cls_token"], specials["sep_token"]
    return processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(one, wordpiece.token_to_id(one)) for one in (cls, sep)],
    )


def parts_of(wordpiece: tokenizers.Tokenizer) -> dict[str, Any]:
    """A tokenizer in the form of ``tokenizer.json``."""
    content: dict[str, Any] = json.loads(wordpiece.to_str())
    return content


def _read_vocabulary(path: Path) -> dict[str, int]:
    """Words and ids of a ``vocab.txt``: the last of equal lines counts, trailing white space does not."""
    try:
        return dict(models.WordPiece.read_file(str(path)))
    except Exception as error:  # the Rust side raises bare Exception
        raise CheckpointError(f"{path} cannot be read as a vocabulary ({error}): {_AGAIN}") from error


def _lacks(token: str, origin: str) -> CheckpointError:
    return CheckpointError(f"{origin} has no {token} in its vocabulary: bertline needs a BERT WordPiece vocabulary")


def _bert(words: dict[str, int], config: Mapping[str, Any], unknown: str, place: Path) -> tokenizers.Tokenizer:
    """The tokenizer that ``BertTokenizer`` builds, before tokens are added."""
    wordpiece = tokenizers.Tokenizer(models.WordPiece(words, unk_token=unknown))
    wordpiece.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(switch(place, config, "tokenize_chinese_chars", True)),
        strip_accents=switch(place, config, "strip_accents", None),
        lowercase=bool(switch(place, config, "do_lower_case", True)),
    )
    wordpiece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    wordpiece.decoder = decoders.WordPiece(prefix="##")
    return wordpiece


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
                f"{origin} does not put a text between {specials['cls_token']} and {specials['sep_token']}, as BERT "
                "needs: give its post_processor that template"
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
    yield from ignored_settings(directory / FILE, config, kind, parts["normalizer"] or {})
    yield from left_out(wordpiece, added)
    if kind == AS_IT_IS or serialised is None:
        return
    theirs = parts_of(serialised)
    differing = [name for part, name in _PARTS.items() if _differ(part, theirs[part] or {}, parts[part])]
    if differing:
        verb = "has" if len(differing) == 1 else "have"
        yield (
            f"{directory / 'tokenizer.json'}: its {' and '.join(differing)} {verb} no effect, because transformers "
            f"builds a {BERT} from its vocabulary and the settings in {FILE}, and so does bertline: if the model was "
            f'trained with this file, set "tokenizer_class" to "{AS_IT_IS}" there'
        )


def _differ(part: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether two parts of a ``tokenizer.json`` differ in effect, except in the vocabulary."""
    if part == "normalizer" and theirs.get("type") == ours["type"]:
        return any(theirs.get(name) != ours[name] for name in ("clean_text", *NORMALISATION.values()))
    return any(theirs.get(name) != value for name, value in ours.items() if name != "vocab")
