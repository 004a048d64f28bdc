"""What a run will take on this machine, said before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bertline.machine.timing import DurationRange
from bertline.training.progress import duration


@dataclass(frozen=True)
class Forecast:
    """The size of a run, its duration and its cost.

    Attributes:
        texts: to train on.
        held_out_texts: to measure.
        text_tokens: of the texts to train on.
        held_out_tokens: of the held-out texts.
        trained_tokens: of all steps, the [CLS] of each sequence included.
        passes: over the texts.
        steps: of the optimizer.
        parameters: of the network.
        place: device, threads and precision.
        seconds: of the run.
        token_seconds: of a trained token.
        price_per_hour: of this machine, if it is known.
    """

    texts: int
    held_out_texts: int
    text_tokens: int
    held_out_tokens: int
    trained_tokens: int
    passes: float
    steps: int
    parameters: int
    place: str
    seconds: DurationRange
    token_seconds: DurationRange
    price_per_hour: float | None

    def lines(self) -> list[str]:
        """For people."""
        texts = (
            f"Texts: {self.texts:,} with {self.text_tokens:,} tokens, and {self.held_out_texts:,} held out with "
            f"{self.held_out_tokens:,} tokens"
        )
        plan = (
            f"Plan: {self.trained_tokens:,} tokens ({self.passes:.3g} passes) in {self.steps:,} steps, "
            f"{self.parameters / 1e6:.1f} M parameters, on {self.place}"
        )
        slow, fast = 1 / self.token_seconds.high, 1 / self.token_seconds.low
        pace = f"{slow:,.0f} tokens/s" if self.seconds.stable else f"{slow:,.0f} to {fast:,.0f} tokens/s"
        time = f"Time: {self._range(duration)} at {pace}, measured on this machine"
        if self.price_per_hour is None:
            return [texts, plan, time]
        cost = self._range(lambda seconds: f"{self._price(seconds):,.2f}")
        return [texts, plan, time, f"Cost: {cost} at {self.price_per_hour:g} per hour"]

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        own = (
            "texts",
            "held_out_texts",
            "text_tokens",
            "held_out_tokens",
            "trained_tokens",
            "passes",
            "steps",
            "parameters",
        )
        figures = {name: getattr(self, name) for name in own}
        figures |= {"place": self.place, "seconds": {"low": self.seconds.low, "high": self.seconds.high}}
        if self.price_per_hour is not None:
            figures["cost"] = {"low": self._price(self.seconds.low), "high": self._price(self.seconds.high)}
        return figures

    def _price(self, seconds: float) -> float:
        return seconds / 3600 * (self.price_per_hour or 0.0)

    def _range(self, said: Any) -> str:
        if self.seconds.stable:
            return f"about {said(self.seconds.middle)}"
        return f"{said(self.seconds.low)} to {said(self.seconds.high)}"
