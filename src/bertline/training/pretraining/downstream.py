"""The task that an encoder is pre-trained for, where there is one: its rows, and what it must never see."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from bertline.training.pretraining.probe import Probe


@dataclass(frozen=True)
class Downstream:
    """A downstream task.

    Attributes:
        texts: of its training rows, to train on beside those of the files.
        held_out: texts to leave out, as ``data.duplicates.normalise`` writes them.
        probe: its labelled texts; by default the settings' table, if there is one.
        identity: whatever else a resumed run must share with the one that it continues, by name.
    """

    texts: Sequence[str] = ()
    held_out: Collection[str] = ()
    probe: Probe | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of all texts."""
        return blake2b(json.dumps([*self.texts, sorted(self.held_out)]).encode(), digest_size=16).hexdigest()


NO_TASK = Downstream()
