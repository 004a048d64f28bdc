"""How the rows of a comparison are read."""

from __future__ import annotations

from pydantic import Field

from bertline.data.settings import EvaluateSettings


class CompareSettings(EvaluateSettings):
    """A table with a text column; labels and slice columns add accuracy, a paired test and slices."""

    labelled: bool | None = Field(
        None, description="whether rows have labels; by default if a column of labels has a usual name or is named"
    )

    @property
    def names_labels(self) -> bool:
        """Whether a column of labels is named."""
        return bool(self.label_column or self.label_columns or self.entities_column or self.score_column)
