"""Train a WordPiece vocabulary on texts, and measure how well a vocabulary covers texts.

The merges come from HF's trainer, which gives ids in an order that changes from run to run. Here the words are counted
first and the single characters have fixed ids, so equal texts give equal vocabularies.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, trainers

from bertline.errors import UsageError
from bertline.text.tokenizer import Tokenizer
from bertline.text.tokenizer_classes import SPECIALS
from bertline.text.tokenizer_settings import BERT, FILE

PREFIX = "##"
SPECIAL_TOKENS = tuple(SPECIALS[f"{role}_token"] for role in ("pad", "unk", "cls", "sep", "mask"))
MAX_WORD = 100  # longer words are [UNK] in BERT's WordPiece
_TEXTS_AT_ONCE = 256
_WORDS_AT_ONCE = 1000


class Words:
    """The words of texts with their counts, as BERT's tokenizer splits them.

    Args:
        lowercase: lower-case the texts and strip their accents.
    """

    def __init__(self, *, lowercase: bool) -> None:
        self.lowercase = lowercase
        self.counts: Counter[str] = Counter()
        self._normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        self._split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str

    def add(self, text: str) -> None:
        """Count the words of one more text."""
        normal = self._normalizer.normalize_str(text)
        self.counts.update(word for word, _ in self._split(normal) if len(word) <= MAX_WORD)


def train_vocabulary(words: Words, size: int, *, min_count: int = 2, characters: int = 1000) -> list[str]:
    """The tokens of a vocabulary in the order of their ids, at most ``size``, the special ones first.

    Args:
        words: of the texts.
        size: special tokens included.
        min_count: pieces that two others make are kept if they occur as often.
        characters: how many different characters are kept, the most frequent ones; words with others are [UNK].

    Raises:
        UsageError: ``size`` has no room for the special tokens and the characters.
    """
    alphabet = _alphabet(words.counts, characters)
    known = {word: count for word, count in words.counts.items() if alphabet.issuperset(word)}
    first = sorted(alphabet)
    further = sorted({character for word in known for character in word[1:]})
    fixed = [*SPECIAL_TOKENS, *first, *(PREFIX + character for character in further)]
    if size < len(fixed):
        raise UsageError(
            f"--size {size:,} has no room for the {len(SPECIAL_TOKENS)} special tokens and the {len(alphabet):,} "
            f"characters of the texts, most of them twice (as the first of a word and inside one): give at least "
            f"{len(fixed):,}, or fewer --characters"
        )
    learner = tokenizers.Tokenizer(models.WordPiece(unk_token=SPECIALS["unk_token"], max_input_chars_per_word=MAX_WORD))
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    # Tokens that are called special come first, in this order, and are not learned again.
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=min_count,
        special_tokens=fixed,
        continuing_subword_prefix=PREFIX,
        show_progress=False,
    )
    learner.train_from_iterator(_repeated(known), trainer)
    ids: Mapping[str, int] = learner.get_vocab()
    return sorted(ids, key=lambda token: ids[token])


def _alphabet(counts: Mapping[str, int], characters: int) -> set[str]:
    frequency: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            frequency[character] += count
    ranked = sorted(frequency, key=lambda character: (-frequency[character], character))
    return set(ranked[:characters])


def _repeated(counts: Mapping[str, int]) -> Iterator[str]:
    """Each word as often as it was counted, several to a line."""
    for word, count in counts.items():
        copies = repeat(word, count)
        while line := " ".join(islice(copies, _WORDS_AT_ONCE)):
            yield line


def tokenizer_of(vocabulary: Sequence[str], *, lowercase: bool) -> Tokenizer:
    """BERT's tokenizer with these tokens; ids are their positions."""
    config = {"tokenizer_class": BERT, "do_lower_case": lowercase, **SPECIALS}
    with tempfile.TemporaryDirectory(prefix="bertline-vocabulary-") as name:
        directory = Path(name)  # read from files, so that it is what others read from them
        (directory / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary), encoding="utf-8")
        (directory / FILE).write_text(json.dumps(config))
        return Tokenizer.from_directory(directory)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a vocabulary covers texts.

    Attributes:
        texts: number of texts.
        words: number of words in them.
        pieces: number of tokens that they become, special tokens not counted.
        unknown: words that become [UNK].
    """

    texts: int
    words: int
    pieces: int
    unknown: int

    @property
    def pieces_per_word(self) -> float:
        """Mean number of tokens per word."""
        return self.pieces / self.words if self.words else 0.0

    @property
    def unknown_share(self) -> float:
        """Share of the words that become [UNK]."""
        return self.unknown / self.words if self.words else 0.0

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        return asdict(self) | {"pieces_per_word": self.pieces_per_word, "unknown_share": self.unknown_share}


def coverage(tokenizer: Tokenizer, texts: Iterable[str]) -> Coverage:
    """How the vocabulary of ``tokenizer`` covers ``texts``."""
    read = words = pieces = unknown = 0
    left = iter(texts)
    while some := list(islice(left, _TEXTS_AT_ONCE)):
        for encoded in tokenizer.encode_whole(some, offsets=True):
            read += 1
            words += len(set(encoded.words or ()))
            pieces += len(encoded.ids)
            unknown += encoded.ids.count(tokenizer.unknown_id)
    return Coverage(read, words, pieces, unknown)
