"""How many texts were answered, and how much of them was too long to read."""

from __future__ import annotations

from dataclasses import dataclass

from bertline.statistics.figures import percent
from bertline.tasks.contract import Answer
from bertline.text.truncation import SPECIAL_TOKENS


@dataclass(slots=True)
class LabelTally:
    """How many texts were labelled, and how much of them was too long to read."""

    texts: int = 0
    cut_texts: int = 0
    tokens: int = 0
    cut_tokens: int = 0

    def add(self, prediction: Answer) -> None:
        """Count one text."""
        self.texts += 1
        self.cut_texts += prediction.cut_tokens > 0
        self.tokens += prediction.read_tokens - SPECIAL_TOKENS + prediction.cut_tokens
        self.cut_tokens += prediction.cut_tokens

    def merge(self, other: LabelTally) -> None:
        """Count the texts of another tally."""
        self.texts += other.texts
        self.cut_texts += other.cut_texts
        self.tokens += other.tokens
        self.cut_tokens += other.cut_tokens

    def cut_sentence(self, max_tokens: int) -> str | None:
        r"""What truncation left out, or None if nothing.

        >>> LabelTally(texts=3, cut_texts=1, tokens=1000, cut_tokens=250).cut_sentence(256)
        'note: 1 of 3 texts is longer than 256 tokens; 250 of all 1,000 tokens (25.0\u202f%) were not read'
        """
        if not self.cut_texts:
            return None
        share = percent(self.cut_tokens / self.tokens)
        verb = "is" if self.cut_texts == 1 else "are"
        return (
            f"note: {self.cut_texts:,} of {self.texts:,} texts {verb} longer than {max_tokens} tokens; "
            f"{self.cut_tokens:,} of all {self.tokens:,} tokens ({share}) were not read"
        )
