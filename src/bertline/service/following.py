"""Which of the served models follow an alias of the registry, and of which registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertline.service.rollouts import OnMove
from bertline.service.settings import ServeSettings
from bertline.serving.models import Models
from bertline.serving.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

    from bertline.lifecycle.rollout.conductor import Conductor, Judge, Side
    from bertline.registry.rollout import Rollout
    from bertline.service.registry_rollouts import RegistryRollouts
    from bertline.service.registry_verdicts import RegistryVerdicts
    from bertline.serving.follow import Followed, Follower


@dataclass(frozen=True, slots=True)
class Following:
    """The models that follow an alias.

    Attributes:
        models: by their names for clients.
        place: URL of the registry.
        pinned: whether a model is of the registry, be it one that follows no alias.
    """

    models: Mapping[str, Followed]
    place: str
    pinned: bool = False

    @property
    def rolled(self) -> dict[str, str]:
        """The models that the registry rolls out, those that follow a champion: by their names for clients."""
        from bertline.registry.reference import CHAMPION

        return {name: one.reference.name for name, one in self.models.items() if one.reference.alias == CHAMPION}

    def follower(self, serving: Serving, settings: ServeSettings) -> Follower | None:
        """What keeps them at their aliases; None if there are none."""
        if not self.models:
            return None
        from bertline.serving.follow import Follower, Releases

        serving.listeners.add(Releases())
        signed_by = settings.require_signed_by
        return Follower(serving.models, self.models, self.place, every_s=settings.follow_every_s, signed_by=signed_by)

    def shown(self) -> RegistryRollouts:
        """Their rollouts, as a server shows and ends them."""
        from bertline.service.registry_rollouts import RegistryRollouts

        return RegistryRollouts(self.rolled, self.place)

    def verdicts(self, signed_by: Sequence[Path] = ()) -> RegistryVerdicts | None:
        """What gates said of the registry's versions; None if no model is of the registry.

        Args:
            signed_by: key files, by which signatures are verified.
        """
        if not self.models and not self.pinned:
            return None
        from bertline.service.registry_verdicts import RegistryVerdicts

        return RegistryVerdicts(self.place, signed_by)

    def conductor(
        self, models: Models, settings: ServeSettings, on_move: OnMove, judge: Judge | None = None
    ) -> Conductor | None:
        """What takes the steps of their rollouts: of those that follow the champion; None if there are none."""
        names = self.rolled
        if not names:
            return None
        from bertline.lifecycle.rollout.conductor import Conductor
        from bertline.registry.catalogue import Catalogue
        from bertline.registry.database import Database
        from bertline.registry.reference import Reference
        from bertline.registry.resolve import locate
        from bertline.registry.rollouts import Rollouts
        from bertline.serving.follow import Stopping

        database = Database(self.place)

        def watch(_here: int, _total: int) -> None:
            if conductor.stopping:
                raise Stopping("the server stops")

        def fetch(rollout: Rollout, side: Side) -> Path:
            number = rollout.champion if side == "champion" else rollout.challenger
            version = Catalogue(database).version(Reference(rollout.model, version=number))
            return locate(version, settings.require_signed_by, watch).path

        every_s = settings.follow_every_s
        conductor = Conductor(models, names, Rollouts(database), fetch, every_s=every_s, judge=judge, on_move=on_move)
        return conductor
