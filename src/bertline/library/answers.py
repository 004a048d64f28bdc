"""The answers to some texts, as one value that prints, converts and shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from bertline.errors import UsageError
from bertline.library import notebook
from bertline.library.tables import as_pandas, as_text
from bertline.text.reading import Input, texts_of

if TYPE_CHECKING:
    import pandas

COUNTS = ("read_tokens", "cut_tokens")
TEXTS = ("text", "text_pair")
SHOWN = 20  # texts in a print
OPENED = 3  # up to so many texts are shown opened


class Answers(Sequence[Any]):
    """One answer per text, in their order; a slice is ``Answers`` too.

    The fields of an answer depend on the model. A classifier gives ``answers[0].label``, the most probable label of the
    first text, and ``answers[0].probabilities``; where a text may have several labels, ``answers[0].labels`` too. A
    model for numbers gives ``answers[0].number``, a tagger ``answers[0].entities``, a ranker ``answers[0].score``, and
    a model that fills in words ``answers[0].filled`` and ``answers[0].masks``, each with its ``candidates``. Every
    answer has ``read_tokens``, ``cut_tokens`` and ``to_json()``.

    Args:
        texts: what was answered.
        answers: one per text.
        by: which model answered, for people.
    """

    __slots__ = ("_answers", "_columns", "by", "texts")

    def __init__(self, texts: Sequence[Input], answers: Sequence[Any], by: str) -> None:
        self.texts, self._answers, self.by = tuple(texts), tuple(answers), by
        self._columns = tuple(self.to_rows()[0]) if answers else (TEXTS[0], *COUNTS)

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> Answers: ...

    def __getitem__(self, place: int | slice) -> Any:
        if not isinstance(place, slice):
            return self._answers[place]
        part = Answers(self.texts[place], self._answers[place], self.by)
        part._columns = self._columns
        return part

    def __len__(self) -> int:
        return len(self._answers)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Answers):
            return NotImplemented
        return (self.texts, self._answers) == (other.texts, other._answers)

    __hash__ = None  # type: ignore[assignment]

    @property
    def labels(self) -> list[str]:
        """The most probable label of each text.

        Raises:
            UsageError: the answers are not a classifier's.
        """
        try:
            return [one.label for one in self._answers]
        except AttributeError:
            raise UsageError(
                f"the answers of {self.by} have no labels: use answers[0].to_json() to see what they have"
            ) from None

    def to_dicts(self) -> list[dict[str, Any]]:
        """Each text with its answer, as plain JSON values: those of the service."""
        return [{**_named(text), **one.to_json()} for text, one in zip(self.texts, self._answers, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """The model, and ``to_dicts`` as its answers."""
        return {"model": self.by, "answers": self.to_dicts()}

    def to_rows(self) -> list[dict[str, Any]]:
        """A dictionary per text: the text, its answer in one or a few values, tokens read and cut."""
        return [
            {
                **_named(text),
                **{name.removeprefix("predicted_"): value for name, value in one.columns().items()},
                **{name: getattr(one, name) for name in COUNTS},
            }
            for text, one in zip(self.texts, self._answers, strict=True)
        ]

    def to_pandas(self) -> pandas.DataFrame:
        """The rows of ``to_rows`` in pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        return as_pandas(self.to_rows(), self._columns)

    def __repr__(self) -> str:
        rows = [{name: value for name, value in row.items() if name not in COUNTS} for row in self.to_rows()]
        return f"{self._title()}\n{as_text(rows, SHOWN)}" if rows else self._title()

    def _repr_html_(self) -> str:
        shown = self[: notebook.SHOWN_TEXTS]
        opened = len(self) <= OPENED
        lines = (
            notebook.answered(" · ".join(texts_of(text)), one.to_json(), opened=opened)
            for text, one in zip(shown.texts, shown, strict=True)
        )
        left = len(self) - len(shown)
        more = notebook.paragraph(f"… {left:,} more", "soft") if left else ""
        return notebook.framed(notebook.paragraph(self._title(), "soft"), *lines, more)

    def _title(self) -> str:
        return f"{len(self):,} {'answer' if len(self) == 1 else 'answers'} by {self.by}"


def _named(text: Input) -> dict[str, str]:
    return dict(zip(TEXTS, texts_of(text), strict=False))
