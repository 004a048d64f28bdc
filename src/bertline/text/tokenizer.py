"""WordPiece by HF ``tokenizers``: texts to ids, and the four files that HF tools expect of a tokenizer.

The tokenizer itself never truncates or pads: truncation is ours because it is reported, padding belongs to
the batch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from bertline.errors import CheckpointError
from bertline.text.truncation import Tokens, Truncation

SPECIALS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
PROBE_CHARACTERS = 64
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Span:
    """A token and the characters of the text it stands for, from ``start`` up to ``end``."""

    id: int
    token: str
    start: int
    end: int


class Tokenizer:
    """A WordPiece tokenizer with BERT's five special tokens.

    Args:
        wordpiece: an HF fast tokenizer; its own truncation and padding are switched off.
        lowercase: whether it lower-cases; written to ``tokenizer_config.json``.

    Raises:
        CheckpointError: a special token is missing from the vocabulary.
    """

    def __init__(self, wordpiece: tokenizers.Tokenizer, *, lowercase: bool, origin: str = "tokenizer") -> None:
        wordpiece.no_truncation()
        wordpiece.no_padding()
        self._wordpiece = wordpiece
        self._lowercase = lowercase
        self.unknown_id, self.sep_id, self.pad_id, self.cls_id, self.mask_id = (
            _special_id(wordpiece, token, origin) for token in SPECIALS.values()
        )

    @classmethod
    def from_directory(cls, directory: Path) -> Tokenizer:
        """Read ``tokenizer.json``, or ``vocab.txt`` with ``tokenizer_config.json`` beside it.

        Raises:
            CheckpointError: neither file is there, or one cannot be read.
        """
        config = _read_json(directory / "tokenizer_config.json")
        fast, vocabulary = directory / "tokenizer.json", directory / "vocab.txt"
        if fast.is_file():
            wordpiece = _load_fast(fast)
            return cls(wordpiece, lowercase=_lowercases(wordpiece, config), origin=str(fast))
        if vocabulary.is_file():
            lowercase = bool(config.get("do_lower_case", True))
            wordpiece = _from_vocabulary(_read_vocabulary(vocabulary), config)
            return cls(wordpiece, lowercase=lowercase, origin=str(vocabulary))
        raise CheckpointError(f"{directory} has no tokenizer: it needs tokenizer.json or vocab.txt beside config.json")

    @property
    def vocab_size(self) -> int:
        """Number of ids, added tokens included."""
        return int(self._wordpiece.get_vocab_size())

    def encode(self, texts: Sequence[str], truncation: Truncation) -> list[Tokens]:
        """Ids of each text, [CLS] and [SEP] included, and how many tokens did not fit."""
        kept = (truncation.cut(ids) for ids in self.encode_whole(texts))
        return [Tokens(self.framed(ids), cut) for ids, cut in kept]

    def encode_whole(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, all of them, without special tokens."""
        encoded = self._wordpiece.encode_batch_fast([_whole(text) for text in texts], add_special_tokens=False)
        return [one.ids for one in encoded]

    def reads(self, text: str) -> bool:
        """Whether any token is left of a text (``bertline.text.unread``)."""
        # The beginning decides nearly always, and a long text is not tokenised twice for it.
        return any(ids for part in (text[:PROBE_CHARACTERS], text) for ids in self.encode_whole([part]))

    def framed(self, ids: Sequence[int]) -> list[int]:
        """[CLS], the ids, [SEP]."""
        return [self.cls_id, *ids, self.sep_id]

    def spans(self, text: str) -> list[Span]:
        """The tokens of a text with their places in it, without special tokens."""
        encoded = self._wordpiece.encode(_whole(text), add_special_tokens=False)
        return [
            Span(id_, token, start, end)
            for id_, token, (start, end) in zip(encoded.ids, encoded.tokens, encoded.offsets, strict=True)
        ]

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of ids, as far as WordPiece keeps it: lower case, spaces normalised."""
        return str(self._wordpiece.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """The vocabulary entry of each id; "" for an id without one."""
        return [self._wordpiece.id_to_token(id_) or "" for id_ in ids]

    def save(self, directory: Path, *, max_tokens: int = 512) -> None:
        """Write the files that HF tools load; ``max_tokens`` becomes their ``model_max_length``."""
        last = max(self._wordpiece.get_vocab(with_added_tokens=True).values())
        lines = self.tokens(range(last + 1))
        config: dict[str, Any] = {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": self._lowercase,
            **_normalisation(self._wordpiece),
            "model_max_length": max_tokens,
            **SPECIALS,
        }
        self._wordpiece.save(str(directory / "tokenizer.json"), pretty=False)
        (directory / "vocab.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
        (directory / "special_tokens_map.json").write_text(json.dumps(SPECIALS, indent=2) + "\n")


def _load_fast(path: Path) -> tokenizers.Tokenizer:
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust side raises bare Exception
        raise CheckpointError(
            f"{path} cannot be read as a tokenizer ({error}): copy it again from the model's source"
        ) from error


def _read_vocabulary(path: Path) -> dict[str, int]:
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")  # U+2028 and U+0085 end no line here
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a vocabulary ({error}): copy it again from the model's source"
        ) from error
    vocabulary = {word: id_ for id_, word in enumerate(lines)}
    for token in SPECIALS.values():
        _require_special(vocabulary.get(token), token, str(path))
    return vocabulary


def _from_vocabulary(vocabulary: dict[str, int], config: dict[str, Any]) -> tokenizers.Tokenizer:
    bert = BertWordPieceTokenizer(
        vocab=vocabulary,
        lowercase=bool(config.get("do_lower_case", True)),
        handle_chinese_chars=bool(config.get("tokenize_chinese_chars", True)),
        strip_accents=config.get("strip_accents"),
    )
    return tokenizers.Tokenizer.from_str(bert.to_str())


def _normalizer(wordpiece: tokenizers.Tokenizer) -> dict[str, Any]:
    return json.loads(wordpiece.to_str()).get("normalizer") or {}


def _lowercases(wordpiece: tokenizers.Tokenizer, config: dict[str, Any]) -> bool:
    return bool(_normalizer(wordpiece).get("lowercase", config.get("do_lower_case", False)))


def _normalisation(wordpiece: tokenizers.Tokenizer) -> dict[str, Any]:
    """Entries of ``tokenizer_config.json``: ``transformers`` builds the normaliser anew from them."""
    normalizer = _normalizer(wordpiece)
    return {
        "tokenize_chinese_chars": normalizer.get("handle_chinese_chars", True),
        "strip_accents": normalizer.get("strip_accents"),
    }


def _whole(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, which JSON can carry and UTF-8 cannot."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _special_id(wordpiece: tokenizers.Tokenizer, token: str, origin: str) -> int:
    return _require_special(wordpiece.token_to_id(token), token, origin)


def _require_special(id_: int | None, token: str, origin: str) -> int:
    if id_ is None:
        raise CheckpointError(f"{origin} has no {token} in its vocabulary: bertline needs a BERT WordPiece vocabulary")
    return int(id_)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}): copy it again from the model's source") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no JSON object: copy it again from the model's source")
    return content
