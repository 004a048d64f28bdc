"""``train``, ``pretrain``, ``evaluate``, ``distill`` and ``optimize`` as functions.

A setting is a keyword argument with the name and the default of the command's flag: both come from the verb's settings
model, which is the only list of them. Unlike the commands, the functions read neither ``bertline.toml`` nor the
environment, so that a call does the same wherever it runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from bertline.config import given_settings
from bertline.data.settings import EvaluateSettings
from bertline.library.progress import listener
from bertline.library.report import Report, figure_rows
from bertline.optimization.settings import OptimizeSettings
from bertline.registry.resolve import open_bundle
from bertline.training.distillation.settings import DistillSettings
from bertline.training.finished import Finished
from bertline.training.pretraining.settings import PretrainSettings
from bertline.training.settings import TrainSettings

Verb = TypeVar("Verb", bound=Callable[..., Any])
Model = TypeVar("Model", bound=BaseModel)


def with_settings(model: type[BaseModel], returns: type = Report) -> Callable[[Verb], Verb]:
    """Show the fields of ``model`` in the signature of a verb, in place of its ``**settings``."""

    def decorate(verb: Verb) -> Verb:
        own = [one for one in inspect.signature(verb).parameters.values() if one.kind is not one.VAR_KEYWORD]
        fields = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=field.get_default(), annotation=field.annotation
            )
            for name, field in model.model_fields.items()
        ]
        signature = inspect.Signature([*own, *fields], return_annotation=returns)
        verb.__signature__ = signature  # type: ignore[attr-defined]
        verb.__settings__ = model  # type: ignore[attr-defined]
        return verb

    return decorate


@with_settings(TrainSettings)
def train(
    data: str | Path,
    *,
    out: str | Path,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Report:
    """Fine-tune an encoder on labelled text, evaluate it and write a bundle.

    Args:
        data: a table with a column of text and one of labels: CSV, TSV, JSON lines or Parquet, plain or gzipped.
        out: directory of the bundle to write.
        resume: continue an unfinished run, if there is one; one that is finished has its figures at once.
        overwrite: replace the bundle, or an unfinished run.
        progress: write what happens to standard error, line by line.
        **settings: settings of ``bertline train``.

    Returns:
        The figures of the test rows, the baselines' scores among them. ``to_dict()["words"]`` is there where the linear
        model of words is better on the validation rows, and the bundle keeps it as the engine ``words``.

    Raises:
        SettingsError: a setting is unknown or out of range.
        DataError, CheckpointError, BundleError, DestinationError: the table, the model or ``out`` cannot be used.
        TrainingError: an unfinished run is in the way, or differs from what is asked; a loss is not finite.
        Interrupted: a signal stopped the run; ``resume=True`` continues it.
    """
    loaded = settings_of(train, TrainSettings, settings)
    from bertline.training.run import train as recipe

    trained = _carry_out(
        recipe, loaded, listener(progress), resume=resume, source=str(data), out=Path(out), overwrite=overwrite
    )
    if isinstance(trained, Finished):
        return _of_finished(trained)
    evaluation = trained.measured.evaluation
    title = f"{Path(out).name}: {evaluation.rows:,} test rows"
    return Report(title, Path(out), figure_rows(trained.headline()), trained.measured.to_json())


@with_settings(PretrainSettings)
def pretrain(
    texts: str | Path | Sequence[str | Path],
    *,
    out: str | Path,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Report:
    """Pre-train an encoder on texts without labels, from scratch or from a published one.

    Args:
        texts: a table with a column of text, a ``.txt`` file with one text per line, or several of them.
        out: directory of the encoder to write, which ``train`` takes as its ``model``.
        resume: continue an unfinished run, if there is one; one that is finished has its figures at once.
        overwrite: replace the encoder, or an unfinished run.
        progress: write what happens to standard error, line by line.
        **settings: settings of ``bertline pretrain``.

    Returns:
        The figures of the held-out texts.

    Raises:
        SettingsError: a setting is unknown or out of range, or contradicts another.
        DataError, CheckpointError, DestinationError: the texts, the model or ``out`` cannot be used.
        TrainingError, Interrupted: as ``train``.
    """
    loaded = settings_of(pretrain, PretrainSettings, settings)
    from bertline.training.pretraining.run import pretrain as recipe

    sources = [str(one) for one in ((texts,) if isinstance(texts, str | Path) else texts)]
    pretrained = _carry_out(
        recipe, loaded, listener(progress), resume=resume, texts=sources, out=Path(out), overwrite=overwrite
    )
    if isinstance(pretrained, Finished):
        return _of_finished(pretrained)
    title = f"{Path(out).name}: {pretrained.held_out.tokens:,} tokens of held-out texts"
    return Report(title, Path(out), figure_rows(pretrained.headline()), pretrained.to_json())


@with_settings(EvaluateSettings)
def evaluate(bundle: str | Path, data: str | Path, *, engine: str | None = None, **settings: Any) -> Report:
    """Measure a bundle on labelled rows: the figures of its task, each with a 95 % interval.

    Labels that the bundle does not know count as wrong or missed. A note names and counts them.

    Args:
        bundle: directory or address of the bundle.
        data: a labelled table, as for ``train``.
        engine: engine to measure, ``torch`` and ``words`` included; by default the bundle's first.
        **settings: settings of ``bertline evaluate``.

    Raises:
        SettingsError: a setting is unknown or out of range.
        BundleError, CheckpointError: the bundle cannot be used.
        DataError: the table cannot be read, or no row has a label that the bundle knows.
    """
    loaded = settings_of(evaluate, EvaluateSettings, settings)
    from bertline.evaluation.labelled_table import evaluate_table
    from bertline.inference import load_predictor
    from bertline.statistics.figures import how_many

    directory = open_bundle(bundle)
    measured = evaluate_table(directory, load_predictor(directory, engine=engine), str(data), loaded)
    evaluation, collapsed = measured.evaluation, measured.collapsed
    return Report(
        f"{directory.name}: {how_many(evaluation.rows, 'row')} of {measured.source}",
        directory,
        figure_rows(evaluation.headline()),
        evaluation.to_json(),
        measured.notes if collapsed is None else (*measured.notes, collapsed),
    )


@with_settings(DistillSettings)
def distill(
    bundle: str | Path,
    data: str | Path | None = None,
    *,
    out: str | Path,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Report:
    """Distill a bundle into a smaller one that answers as it does.

    Args:
        bundle: directory of the teacher.
        data: a table whose texts the student learns from; labels are not needed. None if ``unlabelled`` names others.
        out: directory of the student to write.
        resume: continue an unfinished run, if there is one; one that is finished has its figures at once.
        overwrite: replace the bundle, or an unfinished run.
        progress: write what happens to standard error, line by line.
        **settings: settings of ``bertline distill``.

    Returns:
        What the student kept of its teacher, on the test rows.

    Raises:
        SettingsError: a setting is unknown or out of range.
        UsageError: there are no texts, or more layers, neurons or heads are asked for than the teacher has.
        DataError, BundleError, CheckpointError, DestinationError: the texts, the teacher or ``out`` cannot be used.
        TrainingError, Interrupted: as ``train``.
    """
    loaded = settings_of(distill, DistillSettings, settings)
    from bertline.training.distillation.run import distill as recipe

    texts = None if data is None else str(data)
    student = _carry_out(
        recipe,
        loaded,
        listener(progress),
        resume=resume,
        bundle=open_bundle(bundle),
        data=texts,
        out=Path(out),
        overwrite=overwrite,
    )
    if isinstance(student, Finished):
        return _of_finished(student)
    title = f"{Path(out).name}: {student.evaluation.rows:,} test rows"
    return Report(title, Path(out), figure_rows(student.headline()), student.to_json())


@with_settings(OptimizeSettings)
def optimize(bundle: str | Path, *, progress: bool = True, **settings: Any) -> Report:
    """Make a bundle smaller and faster: build engines, measure them on this machine, and pick one.

    Args:
        bundle: directory of the bundle; the engines are written into it.
        progress: write what happens to standard error, line by line.
        **settings: settings of ``bertline optimize``.

    Returns:
        A row for each engine; ``to_dict()["picked"]`` is the one that answers from now on.

    Raises:
        SettingsError: a setting is unknown or out of range.
        BundleError: the bundle or the student cannot be used, or carries no held-out rows.
        DataError: a table of unlabelled text cannot be read.
        DestinationError: there is no room, or another process writes the bundle.
    """
    loaded = settings_of(optimize, OptimizeSettings, settings)
    from bertline.optimization.report import row
    from bertline.optimization.run import optimize as run

    directory = Path(bundle)
    outcome = run(directory, loaded, listener(progress).note)
    engines = {name: row(outcome, name) for name in outcome.measured}
    shown = [
        {"engine": name, **{key: one[key] for key in ("picked", "texts_per_s", "p50_ms", "p99_ms", "megabytes")},
         "lost_points": one["test_drop_points"]}
        for name, one in engines.items()
    ]  # fmt: skip
    title = f"{directory.name}: {outcome.picked} picked for {loaded.goal}, measured on {outcome.processor}"
    return Report(title, directory, shown, {"picked": outcome.picked, "engines": engines}, outcome.caveats)


def _of_finished(finished: Finished) -> Report:
    title = f"{finished.out.name}: {finished.title}"
    return Report(title, finished.out, figure_rows(finished.headline()), finished.record, (finished.sentence,))


def _carry_out(recipe: Callable[..., Any], *settings: Any, **arguments: Any) -> Any:
    """The result of a recipe; the program ends here in a process that is a rank of a run and not its leader."""
    from bertline.training.parallel.launch import carry_out

    result = carry_out(recipe, *settings, **arguments)
    if result is None:
        raise SystemExit(0)
    return result


def settings_of(verb: Callable[..., Any], model: type[Model], given: dict[str, Any]) -> Model:
    """The settings among a verb's keyword arguments.

    Raises:
        SettingsError: one is unknown or out of range.
    """
    others = [name for name in inspect.signature(verb).parameters if name not in model.model_fields]
    return given_settings(model, verb.__name__, given, others=others)
