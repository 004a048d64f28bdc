"""``bertline retrain``: a model trained again when there is a reason to, and judged before anybody sees it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.models_registry import AsJson, RegistryUrl, StorePlace
from bertline.cli.settings_flags import with_settings
from bertline.errors import BertlineError, UsageError
from bertline.lifecycle.retraining.settings import RetrainSettings

if TYPE_CHECKING:
    from bertline.lifecycle.retraining.journal import Journal
    from bertline.lifecycle.retraining.retrainer import Result, Retrainer

EPILOG = (
    "Examples: bertline retrain reviews --data reviews.csv --data october.csv --frozen frozen.csv --labels 500 · "
    "bertline retrain reviews --now · bertline retrain reviews --dry-run · bertline retrain reviews --history"
)
Now = Annotated[bool, typer.Option("--now", help="Begin a run without another reason, and do not wait to cool down.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and why not; change nothing.")]


class ChallengerRejected(BertlineError):
    """The gate did not say yes to a challenger."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(RetrainSettings, "retrain")(retrain))


def retrain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model of the registry that has a champion.")],
    settings: RetrainSettings,
    now: Now = False,
    dry_run: DryRun = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again until a signal ends it.")] = False,
    history: Annotated[bool, typer.Option("--history", help="List the runs of the model, the newest first.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Give an interrupted run up, and look anew.")] = False,
    by: Annotated[
        str | None, typer.Option("--by", help="Who retrains; default: USER@HOST.", show_default=False)
    ] = None,
    registry: RegistryUrl = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Train a model again if a run is due, judge it by the gate, and make it the challenger.

    A run is due by schedule (--every), new labels (--labels), drift (--drift), fallen accuracy (--accuracy) or --now,
    but not while it cools down. It takes a snapshot of the rows, checks them, trains with the champion's settings,
    builds engines as the champion's, lets the gate compare both, adds the challenger to the registry and lets servers
    compute with it in the shadow. The champion stays in use: models promote changes that.

    An interrupted run goes on where it was. Exit code 0: a challenger, or nothing was due; 1: the gate did not say yes,
    or a step failed; 130: interrupted.
    """
    from bertline.cli.retrain_screen import show_dry_run, show_history

    if sum((dry_run, watch, history)) > 1 or (now and (watch or history)):
        raise UsageError("--now, --dry-run, --watch and --history do not go together: give one, or --now --dry-run")
    retrainer = _retrainer(name, settings, by, registry, store)
    if history:
        show_history(retrainer.home.journals(), as_json=as_json)
    elif dry_run:
        show_dry_run(retrainer, by_hand=now, restart=restart, as_json=as_json)
    elif watch:
        _watch(retrainer)
    else:
        _once(retrainer, now=now, restart=restart, as_json=as_json)


def _retrainer(
    name: str, settings: RetrainSettings, by: str | None, registry: str | None, store: str | None
) -> Retrainer:
    from bertline.config import load_settings
    from bertline.library.progress import listener
    from bertline.lifecycle.retraining.labelled import StoredFeedback
    from bertline.lifecycle.retraining.retrainer import Retrainer
    from bertline.lifecycle.rollout.plan import Plan
    from bertline.optimization.settings import OptimizeSettings
    from bertline.registry.person import whoever
    from bertline.registry.settings import registry_settings

    return Retrainer(
        model=name,
        settings=settings,
        registry=registry_settings(registry, store),
        optimizing=load_settings(OptimizeSettings, "optimize"),
        plan=load_settings(Plan, "rollout").model_dump(exclude_unset=True),
        progress=listener(True),
        labelled=None if settings.feedback is None else StoredFeedback(settings.feedback, settings.served_as or name),
        by=by or whoever(),
    )


def _once(retrainer: Retrainer, *, now: bool, restart: bool, as_json: bool) -> None:
    from bertline.cli.retrain_screen import result_json, result_lines

    result = retrainer.once(by_hand=now, restart=restart)
    if as_json:
        typer.echo(json.dumps(result_json(result), ensure_ascii=False))
    else:
        for line in result_lines(result):
            typer.echo(line)
    journal = result.journal
    if journal is not None and journal.outcome == "challenger" and not as_json:
        version, verdict = journal.done["register"]["version"], retrainer.home.folder(journal) / "verdict.json"
        typer.echo(f"promote it: bertline models promote {journal.model}:{version} --verdict {verdict}")
    if journal is not None and journal.outcome == "rejected":
        raise ChallengerRejected(f"{journal.sentence}; read {page_of(retrainer, journal)}")


def page_of(retrainer: Retrainer, journal: Journal) -> Path:
    """The gate's page of a run."""
    return retrainer.home.folder(journal) / "gate.html"


def _watch(retrainer: Retrainer) -> None:
    from bertline.cli.retrain_screen import result_lines
    from bertline.lifecycle.retraining.retrainer import watch

    def heard(result: Result | BertlineError) -> None:
        lines = [f"error: {result}"] if isinstance(result, BertlineError) else result_lines(result)
        for line in lines:
            typer.echo(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}", err=True)

    watch(retrainer, heard, time.sleep)
