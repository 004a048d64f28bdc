"""Which of the served models follow an alias of the registry, and of which registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertline.service.settings import ServeSettings
from bertline.serving.models import Models

if TYPE_CHECKING:
    from bertline.serving.follow import Followed, Follower


@dataclass(frozen=True, slots=True)
class Following:
    """The models that follow an alias.

    Attributes:
        models: by their names for clients.
        place: URL of the registry.
    """

    models: Mapping[str, Followed]
    place: str

    def follower(self, models: Models, settings: ServeSettings) -> Follower | None:
        """What keeps them at their aliases; None if there are none."""
        if not self.models:
            return None
        from bertline.serving.follow import Follower

        signed_by = settings.require_signed_by
        return Follower(models, self.models, self.place, every_s=settings.follow_every_s, signed_by=signed_by)
