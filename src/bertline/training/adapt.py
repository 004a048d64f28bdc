"""``train --adapt``: pre-training goes on with the task's own text before its labels are learned.

Source: Gururangan et al. 2020 ("Don't stop pretraining"). The texts of the training rows are used beside those of the
files; the texts of the validation and test rows never are, wherever they stand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from bertline.bundle.tree import sha256
from bertline.data.duplicates import normalise
from bertline.data.examples import Example
from bertline.encoder.checkpoint import read_config
from bertline.encoder.source import find_model
from bertline.errors import SettingsError
from bertline.statistics.figures import figure, title, value
from bertline.statistics.intervals import Estimate
from bertline.text import Tokenizer
from bertline.text.reading import texts_of
from bertline.training.checkpoint import check_identity
from bertline.training.facts import Fact
from bertline.training.prepare import Prepared
from bertline.training.pretraining.downstream import Downstream
from bertline.training.pretraining.prepare import check_texts
from bertline.training.pretraining.probe import Probe, probe_of
from bertline.training.pretraining.run import REPORT, pretrain
from bertline.training.pretraining.settings import PretrainSettings
from bertline.training.session import Session
from bertline.training.settings import TrainSettings

PROBED = 1000  # rows of a split, at most
_READ = ("text_column", "format", "encoding", "delimiter", "no_header", "skip_bad_rows")


@dataclass(frozen=True)
class Adapted:
    """An adapted encoder and what adapting bought.

    Attributes:
        directory: of the checkpoint.
        texts: names of what was read.
        report: the figures of pre-training.
    """

    directory: Path
    texts: str
    report: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Of the weights."""
        return sha256(self.directory / "model.safetensors")

    @property
    def figures(self) -> dict[str, tuple[float, Estimate]]:
        """By name: before, and after with its interval."""
        after = {"pseudo_perplexity": self.report["held_out"]["pseudo_perplexity"]}
        if self.report["probe_accuracy"] is not None:
            after["probe_accuracy"] = self.report["probe_accuracy"]
        return {name: (self.report["start"][name], Estimate(**one)) for name, one in after.items()}

    @property
    def fact(self) -> Fact:
        """In a sentence."""
        each = (
            f"{title(name)} {value(name, before)} before, {' ('.join(figure(name, after))}) after"
            for name, (before, after) in self.figures.items()
        )
        return "Adapted", (
            f"{self.report['passes']:.3g} passes over {self.report['text_tokens']:,} tokens of {self.texts}; "
            + "; ".join(each)
        )

    @property
    def lineage(self) -> dict[str, JsonValue]:
        """For the bundle."""
        figures: dict[str, JsonValue] = {
            name: {"before": before, "after": dict[str, JsonValue](after.to_json())}
            for name, (before, after) in self.figures.items()
        }
        sizes: dict[str, JsonValue] = {name: self.report[name] for name in ("text_tokens", "passes")}
        return {"texts": self.texts, **sizes, **figures, "weights_sha256": self.sha256}


def check_adapt(settings: TrainSettings) -> None:
    """Check what the settings say of adapting, before a table is read.

    Raises:
        SettingsError: passes are set and no texts, or the texts are standard input.
        DataError: a file is missing.
    """
    if "adapt_epochs" in settings.model_fields_set and not settings.adapt:
        raise SettingsError("adapt_epochs is set, but there are no texts to adapt to: give --adapt, or leave it out")
    check_texts(settings.adapt, "--adapt")


def adapt(
    run: Session,
    source: str,
    prepared: Prepared,
    tokenizer: Tokenizer,
    settings: TrainSettings,
    identity: Mapping[str, Any],
) -> Adapted:
    """Pre-train ``settings.model`` on ``settings.adapt`` and the training rows, or find that it was done before.

    Args:
        run: keeps the encoder beside its checkpoints; both are removed when the bundle is written.
        source: of the prepared rows.
        prepared: its rows.
        tokenizer: of the model.
        settings: of the run.
        identity: of the rows, the texts and the settings.

    Raises:
        DataError, CheckpointError, DestinationError: as ``pretrain``.
        TrainingError: the unfinished run had other texts or settings; a loss is not finite.
        Interrupted: a signal asked to stop; a checkpoint is on disk.
    """
    out, own = run.directory / "adapted", Path(source)
    files = [one for one in settings.adapt if not (own.exists() and own.samefile(one))]
    texts = " and ".join([*(Path(one).name for one in files), "the training rows"])
    identity = json.loads(json.dumps(identity))
    if run.ranks.leaders((out / REPORT).is_file()):
        check_identity(run.directory, _report(out)["identity"], identity)
        run.progress.note(f"Already adapted to {texts}")
    else:
        run.progress.note(f"Adapting to {texts}")
        downstream = Downstream(
            texts=[text for example in prepared.train for text in texts_of(example.input)],
            held_out={normalise(text) for example in _held_out(prepared) for text in texts_of(example.input)},
            probe=_probe(prepared, tokenizer, settings),
            identity=identity,
        )
        pretrain(files, out, _settings(settings), run.progress, resume=run.resume, downstream=downstream)
    adapted = Adapted(out, texts, _report(out))
    run.progress.note(": ".join(adapted.fact))
    return adapted


def _report(directory: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((directory / REPORT).read_text(encoding="utf-8"))
    return report


def _held_out(prepared: Prepared) -> tuple[Example, ...]:
    return (*prepared.validation, *prepared.test)


def _settings(settings: TrainSettings) -> PretrainSettings:
    config, _ = read_config(find_model(settings.model))
    longest = min(PretrainSettings.model_fields["sequence_tokens"].default, config.max_tokens)
    same = ("model", "seed", "precision", "device", "checkpoint_every_s", *_READ)
    given = {name: getattr(settings, name) for name in same}
    return PretrainSettings(**given, epochs=settings.adapt_epochs, sequence_tokens=longest)


def _probe(prepared: Prepared, tokenizer: Tokenizer, settings: TrainSettings) -> Probe | None:
    """Learned from training rows and measured on validation rows, where rows have one label each."""
    train, measured = _some(prepared.train), _some(prepared.validation)
    if not all(isinstance(example.target, str) for example in (*train, *measured)):
        return None
    return probe_of(train, measured, tokenizer, max_tokens=settings.max_tokens)


def _some(rows: tuple[Example, ...]) -> list[Example]:
    return [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:PROBED]]
