"""``bertline models promote``, ``rollback`` and ``history``: which version is in use, and which was."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertline.cli.models_registry import AsJson, RegistryUrl
from bertline.cli.models_rollouts import begin
from bertline.cli.plain_table import print_table
from bertline.cli.settings_flags import with_settings
from bertline.errors import UsageError
from bertline.lifecycle.rollout.plan import Plan
from bertline.registry.reference import CHAMPION
from bertline.registry.rollout import STEPS, parsed_steps

if TYPE_CHECKING:
    from bertline.registry.chain import Deployment

By = Annotated[str | None, typer.Option("--by", help="Who does it; default: USER@HOST.", show_default=False)]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the model.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``models``."""
    app.command(
        epilog="Examples: bertline models promote reviews:3 --verdict verdict.json · "
        "bertline models promote reviews:3 --verdict verdict.json --canary"
    )(with_settings(Plan, "rollout")(promote))
    app.command(epilog='Example: bertline models rollback reviews --reason "wrong on short texts"')(rollback)
    app.command(epilog="Examples: bertline models history reviews · bertline models history --verify")(history)


def promote(
    model: Annotated[str, typer.Argument(metavar="NAME:VERSION", help="Version; NAME@ALIAS is one too.")],
    settings: Plan,
    to: Annotated[str, typer.Option("--to", metavar="ALIAS", help="Alias to move.")] = "champion",
    verdict: Annotated[
        Path | None,
        typer.Option("--verdict", metavar="FILE", help="Verdict of the gate, which a champion needs."),
    ] = None,
    force: Annotated[
        str | None,
        typer.Option("--force", metavar="REASON", help="Promote without a verdict; the reason is recorded."),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Note for the log.", show_default=False)] = None,
    trust: Annotated[
        list[Path] | None,
        typer.Option("--trust", metavar="FILE", help="Public key that must have signed the verdict; may be repeated."),
    ] = None,
    canary: Annotated[
        bool, typer.Option("--canary", help="Let servers give it a rising share of the clients first.")
    ] = False,
    steps: Annotated[
        str | None,
        typer.Option(
            "--steps",
            metavar="SHARES",
            help=f"Of a canary, in percent; shadow may be the first; default: {','.join(STEPS)}.",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch/--no-watch", help="Let servers roll a new champion back if it is worse.")
    ] = True,
    by: By = None,
    registry: RegistryUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let an alias name a version: servers that follow it change to that version by themselves.

    A champion needs the verdict of a gate that compared this version with the champion of now, or --force REASON. The
    alias and the entry in the log change together or not at all. With --canary the servers promote it step by step, or
    roll it back.
    """
    from bertline.bundle.signing import read_public_key
    from bertline.bundle.verdict import read_signed_verdict
    from bertline.registry.database import Database
    from bertline.registry.deployments import Deployments
    from bertline.registry.person import whoever
    from bertline.registry.reference import parse_reference
    from bertline.registry.settings import registry_settings

    if verdict is not None and force is not None:
        raise UsageError("--verdict and --force exclude each other: give the verdict, or a reason why there is none")
    if force is not None and not force.strip():
        raise UsageError("--force has no reason: say why there is no verdict, for whoever reads the log")
    if steps is not None and not canary:
        raise UsageError("--steps are those of a canary: give --canary too, or leave them out to promote at once")
    if canary and not watch:
        raise UsageError("--no-watch is for a promotion at once: give --watch-s 0 with --canary")
    reference = parse_reference(model)
    why = _why(to, verdict, force, reason)
    keys = [read_public_key(path) for path in trust or ()]
    read = read_signed_verdict(verdict, keys) if verdict is not None else None
    if canary:
        if to != "champion":
            raise UsageError(f"--canary is for the champion, and --to moves {to}: give one of them")
        begin(
            model, parsed_steps(steps or ",".join(STEPS)), settings,
            by=by, registry=registry, as_json=as_json, verdict=read, reason=why,
        )  # fmt: skip
        return
    with Database(registry_settings(registry).place) as database:
        deployments = Deployments(database, by or whoever())
        chosen = settings.model_dump(exclude_unset=True)
        entry = deployments.promote(reference, to, verdict=read, reason=why, watch=chosen if watch else None)
    if entry is None:
        typer.echo(json.dumps(None) if as_json else f"{reference} is the {to} already; nothing was changed")
    else:
        _tell(entry, as_json=as_json)


def _why(to: str, verdict: Path | None, force: str | None, reason: str | None) -> str | None:
    """The reason for the log; of a champion, a note alone is none to do without a verdict."""
    if to == CHAMPION and verdict is None and force is None:
        return None
    return "; ".join(part for part in (force, reason) if part) or None


def rollback(
    name: Name,
    alias: Annotated[str, typer.Option("--alias", metavar="ALIAS", help="Alias to move back.")] = "champion",
    reason: Annotated[str | None, typer.Option("--reason", help="Note for the log.", show_default=False)] = None,
    by: By = None,
    registry: RegistryUrl = None,
    as_json: AsJson = False,
) -> None:
    """Go back to the champion before the current one; once more goes further back. It is recorded."""
    from bertline.registry.database import Database
    from bertline.registry.deployments import Deployments
    from bertline.registry.person import whoever
    from bertline.registry.reference import check_alias, check_name
    from bertline.registry.settings import registry_settings

    with Database(registry_settings(registry).place) as database:
        deployments = Deployments(database, by or whoever())
        _tell(deployments.rollback(check_name(name), check_alias(alias), reason=reason), as_json=as_json)


def history(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only entries of this model.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the whole log; exit code 1 if its past or an alias was changed.")
    ] = False,
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="HASH", help="Hash noted earlier that must still be in the log; with --verify."),
    ] = None,
    registry: RegistryUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show the log of deployments, the newest entry first: who let which alias name which version, when and why.

    Each entry is hashed over the one before. Note the hash of the newest one elsewhere: only with it (--head) can the
    removal of the last entries be found.
    """
    from bertline.registry.database import Database
    from bertline.registry.deployments import Deployments
    from bertline.registry.person import whoever
    from bertline.registry.settings import registry_settings

    if head is not None and not verify:
        raise UsageError("--head is for --verify: give both")
    with Database(registry_settings(registry).place) as database:
        deployments = Deployments(database, whoever())
        entries = deployments.entries(name)
        if verify:
            faults, last = deployments.faults(head), deployments.entries()[-1:]
    if verify:
        _verified(faults, last, as_json=as_json)
    elif as_json:
        typer.echo(json.dumps([asdict(one) for one in reversed(entries)], ensure_ascii=False))
    elif not entries:
        typer.echo("nothing was deployed yet: bertline models promote NAME:VERSION", err=True)
    else:
        _print_entries(entries)


def _tell(entry: Deployment, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(entry), ensure_ascii=False))
        return
    before = f"was {entry.model}:{entry.from_version}" if entry.from_version else "there was none"
    typer.echo(
        f"the {entry.alias} of {entry.model} is {entry.model}:{entry.to_version} ({before}); entry {entry.number} of "
        f"the log, hash {entry.hash}"
    )


def _verified(faults: list[str], last: list[Deployment], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"entries": last[0].number if last else 0, "faults": faults}, ensure_ascii=False))
    elif not faults:
        for entry in last:
            typer.echo(f"all {entry.number} entries are as they were written; the newest has the hash {entry.hash}")
        if not last:
            typer.echo("the log has no entries yet")
    else:
        for fault in faults:
            typer.echo(f"error: {fault}", err=True)
    if faults:
        raise typer.Exit(1)


def _print_entries(entries: list[Deployment]) -> None:
    rows = [["entry", "time (UTC)", "by", "model", "action", "alias", "from", "to", "verdict", "hash", "reason"]]
    for one in reversed(entries):
        versions = [str(number or "-") for number in (one.from_version, one.to_version)]
        cells = [one.by, one.model, one.action, one.alias, *versions, (one.verdict or "-")[:12], one.hash[:12]]
        rows.append([str(one.number), one.time[:19].replace("T", " "), *cells, one.reason or "-"])
    print_table(rows)
