"""Tokenise texts with HF ``tokenizers``, and write a tokenizer's files for HF tools.

The tokenizer itself never truncates or pads: ``truncation`` does the former, because it is reported, and batching
the latter.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import tokenizers

from bertline.errors import CheckpointError, CheckpointWarning
from bertline.text.json_file import read_json
from bertline.text.published import load_fast, parts_of, read_published, require_special, specials_of
from bertline.text.tokenizer_classes import SPECIALS, template
from bertline.text.tokenizer_settings import AS_IT_IS, BERT, FILE, NORMALISATION, Kind
from bertline.text.words import words_of

PROBE_CHARACTERS = 64
_PAIR = ("a", "b")
_DEFAULT = {"do_lower_case": False, "tokenize_chinese_chars": True, "strip_accents": None}
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


@dataclass(frozen=True, slots=True)
class Encoded:
    """The ids of a text and, on request, their positions in it.

    Attributes:
        ids: without special tokens.
        offsets: per id, start and end of its characters in the raw text.
        words: per id, the index of its word, split at white space and punctuation.
    """

    ids: list[int]
    offsets: list[tuple[int, int]] | None = None
    words: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A token and its characters in the text, from ``start`` up to ``end``."""

    id: int
    token: str
    start: int
    end: int


class Tokenizer:
    """A tokenizer with a token for each role of BERT's five special tokens: WordPiece, BPE or Unigram.

    Args:
        wordpiece: an HF fast tokenizer; its own truncation and padding are switched off.
        lowercase: whether it lower-cases; written to ``tokenizer_config.json``.
        specials: the token of each role, if not BERT's.

    Attributes:
        separators: number of [SEP] between the texts of a pair.
        second_segment: segment of the second text of a pair, 0 or 1.

    Raises:
        CheckpointError: a special token is missing from the vocabulary.
    """

    def __init__(
        self,
        wordpiece: tokenizers.Tokenizer,
        *,
        lowercase: bool,
        specials: Mapping[str, str] = SPECIALS,
        origin: str = "tokenizer",
    ) -> None:
        wordpiece.no_truncation()
        wordpiece.no_padding()
        self._wordpiece = wordpiece
        self._lowercase, self._origin = lowercase, origin
        added = wordpiece.get_added_tokens_decoder()
        self._added = {id_: token.content for id_, token in added.items()}  # id_to_token gives them normalised
        self._specials = {role: specials[role] for role in SPECIALS}
        self.unknown_id, self.sep_id, self.pad_id, self.cls_id, self.mask_id = (
            require_special(wordpiece, token, origin) for token in self._specials.values()
        )
        self.separators, self.second_segment = self._pair() or (1, 1)

    @classmethod
    def from_directory(cls, directory: Path) -> Tokenizer:
        """Read a checkpoint as ``AutoTokenizer`` does, with the same ids.

        A ``CheckpointWarning`` names each of its settings and tokens that has no effect.

        Raises:
            CheckpointError: there is no tokenizer, or a file is unreadable or has something unsupported.
        """
        published = read_published(directory)
        wordpiece = published.wordpiece
        return cls(
            wordpiece, lowercase=_lowercases(wordpiece), specials=published.specials, origin=str(published.origin)
        )

    @classmethod
    def from_bundle(cls, directory: Path) -> Tokenizer:
        """Read a bundle's tokenizer: its ``tokenizer.json`` as it is.

        In bundles from earlier versions, ``AutoTokenizer`` may read the same files differently. Without this file, the
        directory is read like a checkpoint.

        Raises:
            CheckpointError: the file cannot be read.
        """
        fast = directory / "tokenizer.json"
        if not fast.is_file():
            return cls.from_directory(directory)
        wordpiece = load_fast(fast)
        specials = specials_of(read_json(directory / FILE), wordpiece)
        return cls(wordpiece, lowercase=_lowercases(wordpiece), specials=specials, origin=str(fast))

    def _pair(self) -> tuple[int, int] | None:
        """The number of [SEP] between two texts and the segment of the second, if the post-processor frames pairs."""
        one, two = (self._wordpiece.encode(text, add_special_tokens=False).ids for text in _PAIR)
        try:
            pair = self._wordpiece.encode(*_PAIR)
        except Exception:  # the Rust side raises bare Exception
            return None
        for separators in (1, 2):
            if pair.ids == [self.cls_id, *one, *[self.sep_id] * separators, *two, self.sep_id]:
                return separators, pair.type_ids[-1]
        return None

    @cached_property  # it copies the whole vocabulary, which takes ten milliseconds, and each request asks for it
    def vocab_size(self) -> int:
        """One more than the largest id, including added tokens; smaller ids may have no token."""
        return 1 + max(self._wordpiece.get_vocab(with_added_tokens=True).values())

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides the ids of a text."""
        return blake2b(self._wordpiece.to_str().encode(), digest_size=16).hexdigest()

    @property
    def prefix(self) -> str:
        """The prefix of a word's further pieces, such as ``##``; "" if they have none."""
        return getattr(self._wordpiece.model, "continuing_subword_prefix", None) or ""

    @property
    def mask(self) -> str:
        """The token that stands for a masked word: ``[MASK]``."""
        return self._specials["mask_token"]

    def id_of(self, token: str) -> int | None:
        """The id of an entry of the vocabulary; None if there is no such entry."""
        id_: int | None = self._wordpiece.token_to_id(token)
        return id_

    def encode_whole(self, texts: Sequence[str], *, offsets: bool = False) -> list[Encoded]:
        """All tokens of each text, without special tokens."""
        whole = [_whole(text) for text in texts]
        if not offsets:
            return [Encoded(one.ids) for one in self._wordpiece.encode_batch_fast(whole, add_special_tokens=False)]
        encodings = self._wordpiece.encode_batch(whole, add_special_tokens=False)
        return [
            Encoded(one.ids, offsets, self._words(text, offsets, one.word_ids))
            for text, one in zip(texts, encodings, strict=True)
            for offsets in [_places(text, one.offsets)]
        ]

    def _words(self, text: str, offsets: list[tuple[int, int]], words: list[int | None]) -> list[int]:
        if self.prefix:
            return [-1 if word is None else word for word in words]
        return words_of(text, offsets, words)

    def reads(self, text: str) -> bool:
        """Whether a text has any token (``bertline.text.unread``)."""
        # The beginning is nearly always enough, and saves tokenising a long text twice.
        return any(one.ids for part in (text[:PROBE_CHARACTERS], text) for one in self.encode_whole([part]))

    def spans(self, text: str) -> list[Span]:
        """The tokens of a text with their positions in it, without special tokens."""
        encoded = self._wordpiece.encode(_whole(text), add_special_tokens=False)
        each = zip(encoded.ids, encoded.tokens, _places(text, encoded.offsets), strict=True)
        return [Span(id_, token, start, end) for id_, token, (start, end) in each]

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of ids, as far as the tokenizer preserves it: WordPiece lower-cases and normalises spaces."""
        return str(self._wordpiece.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """The vocabulary entry of each id; "" for an id without one."""
        return [self._added.get(id_) or self._wordpiece.id_to_token(id_) or "" for id_ in ids]

    def join(self, tokens: Sequence[str]) -> str:
        """The text of vocabulary entries, like ``convert_tokens_to_string`` of ``transformers``.

        The first token keeps its ``##``.
        """
        decoder = self._wordpiece.decoder
        return " ".join(tokens) if decoder is None else str(decoder.decode(list(tokens)))

    def save(self, directory: Path, *, max_tokens: int = 512) -> None:
        """Write the files that HF tools load; ``max_tokens`` becomes their ``model_max_length``.

        They name the ``transformers`` class that builds the same tokenizer from them, which is verified by reading the
        files again.

        Raises:
            CheckpointError: no class builds the same tokenizer.
        """
        framed = tokenizers.Tokenizer.from_str(self._wordpiece.to_str())
        if self._pair() is None:  # otherwise it is kept, because it may trim offsets
            cls, sep = self._specials["cls_token"], self._specials["sep_token"]
            framed.post_processor = template((cls, self.cls_id), (sep, self.sep_id))
        (directory / "tokenizer.json").write_text(framed.to_str(), encoding="utf-8")  # OSError on a full disk
        for kind in (BERT, AS_IT_IS) if self.prefix else (AS_IT_IS,):
            config = self._config(kind, max_tokens)
            roles = {role: config[role] for role in SPECIALS if role in config}
            (directory / FILE).write_text(json.dumps(config, indent=2) + "\n")
            (directory / "special_tokens_map.json").write_text(json.dumps(roles, indent=2) + "\n")
            if self._comes_back(directory):
                break
        else:
            raise CheckpointError(
                f"transformers cannot rebuild the tokenizer of {self._origin} from a bundle: start from another "
                "checkpoint"
            )
        if kind == BERT:  # vocab.txt is only for this class
            lines = self.tokens(range(self.vocab_size))
            (directory / "vocab.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def _config(self, kind: Kind, max_tokens: int) -> dict[str, Any]:
        """The content of ``tokenizer_config.json``, from which ``BertTokenizer`` rebuilds the normaliser."""
        normalizer = parts_of(self._wordpiece)["normalizer"] or {}
        own: dict[str, Any] = {}
        roles = self._specials
        if kind == BERT:
            own = {name: normalizer.get(theirs, _DEFAULT[name]) for name, theirs in NORMALISATION.items()}
            own["do_lower_case"] = self._lowercase
        else:  # tokens with a role are matched in texts
            roles = {role: token for role, token in roles.items() if token in self._added.values()}
        return {"tokenizer_class": kind, **own, "model_max_length": max_tokens, **roles}

    def _comes_back(self, directory: Path) -> bool:
        """Whether the files in ``directory`` give this tokenizer when they are read."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CheckpointWarning)
            try:
                published = read_published(directory)
            except CheckpointError:
                return False
        theirs, ours = parts_of(published.wordpiece), parts_of(self._wordpiece)
        # The template with [CLS] and [SEP] has several forms, and reading the files has verified it.
        return theirs | {"post_processor": None} == ours | {"post_processor": None}


def _lowercases(wordpiece: tokenizers.Tokenizer) -> bool:
    return bool((parts_of(wordpiece)["normalizer"] or {}).get("lowercase", False))


def _whole(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, which JSON can contain but UTF-8 cannot."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _places(text: str, offsets: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Map offsets in ``_whole(text)``, where a surrogate pair is one character, to the raw text."""
    if text.isascii() or not _HALVES.search(text):
        return offsets
    raw, place = [], 0
    for _ in _whole(text):
        raw.append(place)
        place += 2 if _HALVES.match(text, place) else 1
    raw.append(place)
    return [(raw[start], raw[end]) for start, end in offsets]
