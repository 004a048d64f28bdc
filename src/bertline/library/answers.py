"""The answers to some texts, as one value that prints, converts and shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from bertline.inference import Prediction
from bertline.library import notebook
from bertline.library.tables import as_pandas, as_text

if TYPE_CHECKING:
    import pandas

COLUMNS = ("text", "label", "probability", "read_tokens", "cut_tokens")
SHOWN = 20  # texts in a print
OPENED = 3  # as many texts show their bars at once


class Answers(Sequence[Prediction]):
    """One answer per text, in their order; a slice is ``Answers`` too.

    ``answers[0].label`` is the most probable label of the first text, and ``answers[0].probabilities`` has every
    label's probability.

    Args:
        texts: what was asked.
        predictions: one answer per text.
        by: which model answered, for people.
    """

    __slots__ = ("_predictions", "by", "texts")

    def __init__(self, texts: Sequence[str], predictions: Sequence[Prediction], by: str) -> None:
        self.texts, self._predictions, self.by = tuple(texts), tuple(predictions), by

    @overload
    def __getitem__(self, place: int) -> Prediction: ...

    @overload
    def __getitem__(self, place: slice) -> Answers: ...

    def __getitem__(self, place: int | slice) -> Prediction | Answers:
        if isinstance(place, slice):
            return Answers(self.texts[place], self._predictions[place], self.by)
        return self._predictions[place]

    def __len__(self) -> int:
        return len(self._predictions)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Answers):
            return NotImplemented
        return (self.texts, self._predictions) == (other.texts, other._predictions)

    __hash__ = None  # type: ignore[assignment]

    @property
    def labels(self) -> list[str]:
        """The most probable label of each text."""
        return [one.label for one in self._predictions]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: every text with its answer and the probability of every label."""
        return {
            "model": self.by,
            "answers": [
                {
                    "text": text,
                    "label": one.label,
                    "probabilities": dict(one.probabilities),
                    "read_tokens": one.read_tokens,
                    "cut_tokens": one.cut_tokens,
                }
                for text, one in zip(self.texts, self._predictions, strict=True)
            ],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """A dictionary per text: the text, its label, the label's probability, tokens read and cut."""
        return [
            dict(
                zip(
                    COLUMNS,
                    (text, one.label, one.probabilities[one.label], one.read_tokens, one.cut_tokens),
                    strict=True,
                )
            )
            for text, one in zip(self.texts, self._predictions, strict=True)
        ]

    def to_pandas(self) -> pandas.DataFrame:
        """The rows of ``to_rows`` in pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        return as_pandas(self.to_rows(), COLUMNS)

    def __repr__(self) -> str:
        rows = [{name: row[name] for name in COLUMNS[:3]} for row in self.to_rows()]
        return f"{self._title()}\n{as_text(rows, SHOWN)}" if rows else self._title()

    def _repr_html_(self) -> str:
        shown = self[: notebook.SHOWN_TEXTS]
        lines = (self._line(text, one) for text, one in zip(shown.texts, shown, strict=True))
        left = len(self) - len(shown)
        more = notebook.paragraph(f"… {left:,} more", "soft") if left else ""
        return notebook.framed(notebook.paragraph(self._title(), "soft"), *lines, more)

    def _title(self) -> str:
        return f"{len(self):,} {'answer' if len(self) == 1 else 'answers'} by {self.by}"

    def _line(self, text: str, one: Prediction) -> str:
        cut = f"{one.cut_tokens:,}" if one.cut_tokens else "nothing"
        return notebook.answered(
            text,
            [one.label],
            notebook.percent(one.probabilities[one.label]),
            one.probabilities,
            f"{one.read_tokens:,} tokens, {cut} cut",
            opened=len(self) <= OPENED,
        )
