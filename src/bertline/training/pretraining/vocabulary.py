"""The verb ``vocab``: files of text in, a tokenizer out, with its coverage of held-out texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertline.bundle.output import Output
from bertline.data.corpus import Corpus, is_held_out
from bertline.destination import claim
from bertline.encoder.source import find_model
from bertline.errors import DataError
from bertline.text import Tokenizer
from bertline.text.vocabulary import Coverage, Words, coverage, tokenizer_of, train_vocabulary
from bertline.training.pretraining.settings import VocabularySettings

REPORT = "vocabulary.json"
HELD_OUT_TEXTS = 5000  # at most
_NOTIFY_EVERY = 1000  # texts

Notify = Callable[[str, int], None]  # a step of the work, and how many texts were read


@dataclass(frozen=True)
class Trained:
    """A vocabulary on disk and what was measured.

    Attributes:
        out: its directory.
        size: number of its tokens.
        texts: read, held-out ones included.
        skipped: bad rows left out.
        words: different words of the texts that it was trained on.
        coverage: of the held-out texts by the new vocabulary and by the base model's; None without held-out texts.
        base: the model beside it.
        pieces: of the sentence, by the new vocabulary and by the base model's.
    """

    out: Path
    size: int
    texts: int
    skipped: int
    words: int
    coverage: tuple[Coverage, Coverage] | None
    base: str
    pieces: tuple[tuple[str, ...], tuple[str, ...]] | None

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values."""
        covered = None
        if self.coverage is not None:
            covered = {"vocabulary": self.coverage[0].to_json(), "base": self.coverage[1].to_json()}
        sentence = None if self.pieces is None else {"vocabulary": self.pieces[0], "base": self.pieces[1]}
        return {
            "directory": str(self.out),
            "size": self.size,
            "texts": self.texts,
            "bad_rows_left_out": self.skipped,
            "distinct_words": self.words,
            "base": self.base,
            "held_out": covered,
            "sentence": sentence,
        }


def make_vocabulary(
    sources: Sequence[str],
    out: Path,
    settings: VocabularySettings,
    notify: Notify = lambda step, texts: None,
    *,
    overwrite: bool = False,
) -> Trained:
    """Train a WordPiece vocabulary on the texts of ``sources`` and write the tokenizer to ``out``.

    One text of twenty is held out, chosen by its hash, so that equal texts are on the same side.

    Raises:
        DataError: a file or a row cannot be used.
        CheckpointError: the base model has no tokenizer that can be read.
        UsageError: the size has no room for the characters of the texts.
        DestinationError: ``out`` is taken or cannot be written.
    """
    output = Output(out, "vocabulary", REPORT)
    output.check(overwrite=overwrite)
    base = Tokenizer.from_directory(find_model(settings.base))
    corpus = Corpus(sources, settings)
    words, held_out = _read(corpus, lowercase=not settings.cased, notify=notify)
    notify("Learning the pieces", corpus.read)
    tokens = train_vocabulary(words, settings.size, min_count=settings.min_count, characters=settings.characters)
    tokenizer = tokenizer_of(tokens, lowercase=not settings.cased)
    notify("Measuring the held-out texts", corpus.read)
    trained = Trained(
        out,
        len(tokens),
        corpus.read,
        corpus.skipped,
        len(words.counts),
        (coverage(tokenizer, held_out), coverage(base, held_out)) if held_out else None,
        settings.base,
        None
        if settings.sentence is None
        else (_pieces(tokenizer, settings.sentence), _pieces(base, settings.sentence)),
    )
    with claim(out, "the vocabulary"):
        output.write(tokenizer.save, trained.to_json())
    return trained


def _read(corpus: Corpus, *, lowercase: bool, notify: Notify) -> tuple[Words, list[str]]:
    """The words of the texts, and the texts that are held out."""
    words, held_out = Words(lowercase=lowercase), list[str]()
    for text in corpus:
        if corpus.read % _NOTIFY_EVERY == 0:
            notify("Counting words", corpus.read)
        if is_held_out(text):
            if len(held_out) < HELD_OUT_TEXTS:
                held_out.append(text)
        else:
            words.add(text)
    if not words.counts:
        raise DataError(f"{corpus.names} has no words to make a vocabulary of: give more texts")
    return words, held_out


def _pieces(tokenizer: Tokenizer, sentence: str) -> tuple[str, ...]:
    return tuple(span.token for span in tokenizer.spans(sentence))
