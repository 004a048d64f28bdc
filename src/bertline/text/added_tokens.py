"""Added tokens, outside the model's vocabulary, from the files of HF checkpoints.

If ``tokenizer_config.json`` has ``added_tokens_decoder``, only that counts; otherwise ``special_tokens_map.json``,
``added_tokens.json`` and ``tokenizer.json`` do. Special tokens named in ``tokenizer_config.json`` are added in either
case. The order of additions determines the ids, so it is that of ``transformers`` 5.24
(``PreTrainedTokenizerBase._from_pretrained``, ``TokenizersBackend.__init__``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken

from bertline.errors import CheckpointError
from bertline.text.json_file import read_json
from bertline.text.tokenizer_settings import FILE

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_NEEDED = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_EXTRA = "extra_special_tokens"
_EXTRA_ONCE = "additional_special_tokens"  # its name in earlier versions
_MAP, _LIST, _FAST = "special_tokens_map.json", "added_tokens.json", "tokenizer.json"
_AGAIN = "copy it again from the model's source"

Token = str | AddedToken


@dataclass
class Added:
    """The added tokens that the files declare.

    Attributes:
        declared: each token to add by the id that a file gives it, with that file.
        named: tokens by role; None if a file sets it to null.
        extra: other special tokens.
        mentioned: every token in any of the files, with that file.
    """

    declared: dict[int, tuple[AddedToken, Path]] = field(default_factory=dict)
    named: dict[str, Token | None] = field(default_factory=dict)
    extra: list[Token] = field(default_factory=list)
    mentioned: dict[str, Path] = field(default_factory=dict)

    def declare(self, id_: int, token: AddedToken, place: Path) -> None:
        """Record the id that a file gives a token."""
        self.declared[id_] = (token, place)
        self.mentioned.setdefault(token.content, place)


def read_added(directory: Path, config: Mapping[str, Any], extra: Sequence[str] = ()) -> Added:
    """The added tokens of a checkpoint.

    Args:
        directory: of the checkpoint.
        config: content of its ``tokenizer_config.json``.
        extra: special tokens without a role that its class adds, unless a file names some.

    Raises:
        CheckpointError: an entry is not in a form that ``transformers`` reads.
    """
    added, settings = Added(), dict(config)
    if _EXTRA_ONCE in settings and not settings.get(_EXTRA):
        settings[_EXTRA] = settings.pop(_EXTRA_ONCE)
    if "added_tokens_decoder" in settings:
        with _reading(directory / FILE) as place:
            for id_, entry in settings["added_tokens_decoder"].items():
                added.declare(int(id_), AddedToken(**entry), place)
        _read_other_files(Added(mentioned=added.mentioned), {}, directory)
    else:
        settings |= _read_other_files(added, settings, directory)
    if extra and not settings.keys() & {_EXTRA, _EXTRA_ONCE}:
        settings[_EXTRA] = [*extra]
    with _reading(directory / FILE) as place:
        _name(added, {name: _token(value) for name, value in settings.items()}, place)
    return added


def add_tokens(wordpiece: tokenizers.Tokenizer, added: Added, named: Mapping[str, Token | None]) -> None:
    """Add the tokens in the order that gives them the same ids as in ``transformers``.

    Args:
        wordpiece: modified in place.
        added: the tokens in the files.
        named: tokens by role, including the class's default ones.

    Raises:
        CheckpointError: an id differs from the one in a file or belongs to another token, or two tokens are
            indistinguishable.
    """
    there = wordpiece.get_added_tokens_decoder().values()
    known = {repr(one) for one in there}
    tokens: list[Token] = [one for _, (one, _) in sorted(added.declared.items()) if repr(one) not in known]
    seen = {one.content for one in there} | {_content(one) for one in tokens}
    names = {_content(one) for one in named.values() if one is not None}
    for token in (*named.values(), *added.extra):
        if token is not None and _content(token) not in seen and token not in tokens:
            tokens.append(token)
    ready = [AddedToken(one, special=True) if isinstance(one, str) else one for one in tokens]
    for token in ready:
        token.special = token.special or token.content in names
    wordpiece.add_tokens(ready)
    _require_ids(wordpiece, added)
    _require_distinct(wordpiece, added)


def left_out(wordpiece: tokenizers.Tokenizer, added: Added) -> Iterator[str]:
    """A warning for each file with tokens that were not added."""
    there = {one.content for one in wordpiece.get_added_tokens_decoder().values()}
    for place in dict.fromkeys(added.mentioned.values()):
        missing = [token for token, file in added.mentioned.items() if file == place and token not in there]
        if missing:
            yield (
                f"{place} has the added tokens {', '.join(missing)}, which neither transformers nor bertline "
                f"uses, because {place.with_name(FILE)} does not list them: add them there"
            )


def _read_other_files(added: Added, settings: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Declare the tokens of all files except ``tokenizer_config.json``; returns their settings."""
    with _reading(directory / _MAP) as place:
        named = _special_tokens_map(read_json(place), settings)
        for value in named.values():
            for token in value if isinstance(value, list) else [value]:
                if isinstance(token, Token):
                    added.mentioned.setdefault(_content(token), place)
    merged = {**settings, **named}
    listed = merged.get(_EXTRA)
    special = {_content(merged[role]) for role in ROLES if merged.get(role)}
    special |= {_content(one) for one in listed} if isinstance(listed, list) else set()
    with _reading(directory / _LIST) as place:
        for content, id_ in read_json(place).items():
            ours = content in special
            added.declare(int(id_), AddedToken(content, normalized=not ours, special=ours), place)
    with _reading(directory / _FAST) as place:
        for entry in read_json(place).get("added_tokens") or []:
            flags = {name: value for name, value in entry.items() if name != "id"}
            added.declare(int(entry["id"]), AddedToken(**flags), place)
    return named


def _special_tokens_map(content: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, value in content.items():
        if name == _EXTRA and isinstance(value, list):
            before = list(settings.get(_EXTRA) or [])
            tokens = [_special(one) for one in value]
            named[name] = before + [one for one in tokens if one not in before]
        else:
            named[name] = _special(value) if name != _EXTRA else value
    return named


def _name(added: Added, settings: Mapping[str, Any], place: Path) -> None:
    """Record which tokens have roles, and which others are special."""
    by_content = {token.content: token for token, _ in added.declared.values()}
    own = {role: settings[role] for role in ROLES if role in settings}
    own = {role: by_content.get(_content(one), one) if one is not None else None for role, one in own.items()}
    for role in _NEEDED:
        if role in own and own[role] is None:
            raise TypeError(f"{role} is null")
    others = {name: one for name, one in settings.items() if name.endswith("_token") and name not in ROLES}
    extra = settings.get(_EXTRA, settings.get(_EXTRA_ONCE))
    if isinstance(extra, dict):
        others, extra = {**others, **{name: _token(one) for name, one in extra.items()}}, None
    added.named = {**own, **{name: one for name, one in others.items() if isinstance(one, Token)}}
    added.extra = [_token(one) for one in extra or []]
    for token in (*(one for one in own.values() if one is not None), *added.extra):
        if not isinstance(token, Token):
            raise TypeError(f"{token!r} is not a token")
        added.mentioned.setdefault(_content(token), place)


def _token(value: Any) -> Any:
    """The token in an entry as saved by ``transformers``; anything else unchanged."""
    if isinstance(value, dict) and value.get("__type") == "AddedToken":
        return AddedToken(**{name: one for name, one in value.items() if name != "__type"})
    return value


def _special(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return AddedToken(**{name: one for name, one in value.items() if name not in ("special", "__type")}, special=True)


def _content(token: Any) -> str:
    return token.content if isinstance(token, AddedToken) else str(token)


def _require_ids(wordpiece: tokenizers.Tokenizer, added: Added) -> None:
    for id_, (token, place) in added.declared.items():
        given = wordpiece.token_to_id(token.content)
        if given != id_:
            raise CheckpointError(
                f"{place} gives {token.content} the id {id_}, but transformers gives it {given} with the vocabulary "
                "beside it: the files belong to different models"
            )
    words = {id_: word for word, id_ in wordpiece.get_vocab(with_added_tokens=False).items()}
    for id_, token in wordpiece.get_added_tokens_decoder().items():
        if words.get(id_, token.content) != token.content:
            raise CheckpointError(
                f"the added token {token.content} gets the id {id_}, which {words[id_]!r} of the vocabulary "
                f"already has ({added.mentioned.get(token.content, 'a special token')}): remove repeated lines of the "
                "vocabulary, or the token"
            )


def _require_distinct(wordpiece: tokenizers.Tokenizer, added: Added) -> None:
    """Reject two tokens that match the same text: which one wins differs between processes."""
    normalizer, seen = wordpiece.normalizer, dict[str, str]()
    for token in wordpiece.get_added_tokens_decoder().values():
        if not token.normalized or normalizer is None:
            continue
        other = seen.setdefault(normalizer.normalize_str(token.content), token.content)
        if other != token.content:
            raise CheckpointError(
                f"{added.mentioned.get(token.content, 'the tokenizer')} has the added tokens {other} and "
                f"{token.content}, which are the same after normalisation: remove one, or set its normalized to false"
            )


@contextmanager
def _reading(place: Path) -> Iterator[Path]:
    try:
        yield place
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{place} has an added token in an unknown form ({error}): {_AGAIN}") from error
