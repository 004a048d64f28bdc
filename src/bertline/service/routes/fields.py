"""Unknown fields of a body: ignored with a warning header, or rejected, as the dialect's own server does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator

from bertline.service.routes.notes import hint, note_ignored, shown
from bertline.serving.problems import Code, Problem


class Tolerant(BaseModel):
    """Part of a body whose unknown fields are ignored and named in a response header."""

    model_config = ConfigDict(extra="allow", strict=True)
    at: ClassVar[str] = ""  # its place in the body, as in "parameters."

    @model_validator(mode="after")
    def _note_unknown(self) -> Self:
        note_ignored(self.model_extra or {}, list(type(self).model_fields), self.at)
        return self


class Exact(BaseModel):
    """Part of a body whose unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", strict=True)
    at: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, content: Any) -> Any:
        if isinstance(content, Mapping):
            for name in content:
                if name not in cls.model_fields:
                    raise cls.unknown(name)
        return content

    @classmethod
    def unknown(cls, name: str) -> Problem:
        """The problem of an unknown field."""
        known = list(cls.model_fields)
        meant = (
            hint(name, known).strip(" ()")
            or f"valid names are {', '.join(f'{cls.at}{one}' for one in known) or 'none'}."
        )
        field = f"{cls.at}{shown(name)}"
        return Problem(Code.UNKNOWN_FIELD, f"There is no field {field}: {meant}", field)
