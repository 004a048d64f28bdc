"""The gate of a run, and what is recorded of its verdict."""

from __future__ import annotations

from typing import Any

from bertline.bundle.signing import passphrase_in, read_private_key
from bertline.bundle.verdict import SignedVerdict
from bertline.bundle.verify import read_manifest
from bertline.destination import as_destination_error, replace_file
from bertline.evaluation.bounds import Bound
from bertline.lifecycle.gate.check import Check
from bertline.lifecycle.gate.page import write_gate
from bertline.lifecycle.gate.run import Evidence, Gated, gate
from bertline.lifecycle.gate.settings import GateSettings
from bertline.lifecycle.retraining.context import Facts, Run
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.registry.reference import CHAMPION, Reference
from bertline.registry.resolve import locate, look_up
from bertline.registry.tracking import annotate

VERDICT, PAGE = "verdict.json", "gate.html"
WHAT = "the verdict"


def judge(run: Run) -> Facts:
    """Let the gate compare the challenger with the champion of now; the verdict is written beside the bundle."""
    champion = look_up(Reference(run.journal.model, alias=CHAMPION), run.registry)
    looks = looks_at(run)
    settings = _gate_settings(run, looks)
    found = gate(run.bundle, locate(champion).path, _evidence(run), settings)
    signed = _signed(found, run.settings)
    with as_destination_error(run.folder / VERDICT, WHAT):
        write_gate(run.folder, found, signed.verdict)
        replace_file(run.folder / VERDICT, signed.to_file())
    return {
        "decision": found.decision,
        "verdict": signed.verdict.hash,
        "challenger": read_manifest(run.bundle).checksum,
        "champion": champion.version,
        "champion_digest": signed.verdict.champion,
        "looks": looks,
        "frozen": run.snapshot.facts["frozen_sha256"],
        "reasons": [_reason(one) for one in found.checks if one.decision == found.decision != "yes"],
        "checks": [one.to_json() for one in found.checks],
    }


def looks_at(run: Run) -> int:
    """Challengers judged by these frozen rows so far, by the records, this one included."""
    frozen = run.snapshot.facts["frozen_sha256"]
    others = [one for one in run.home.journals() if one.id != run.journal.id]
    earlier = [one for one in others if one.done.get("gate", {}).get("frozen") == frozen]
    return run.settings.looks + len(earlier)


def record(run: Run) -> Facts:
    """Put the verdict and its page into the run in MLflow, whatever was decided."""
    judged, trained = run.journal.done["gate"], run.journal.done["train"]
    tags = {"gate": judged["decision"], "verdict": judged["verdict"]}
    tags |= {"gate_reasons": "; ".join(judged["reasons"])[:4000]} if judged["reasons"] else {}
    files = {name: run.folder / name for name in (VERDICT, PAGE)}
    annotate(run.registry, trained["run"], tags, files)
    return {}


def verdict_of(run: Run) -> SignedVerdict:
    """The verdict that was written."""
    return SignedVerdict.model_validate_json((run.folder / VERDICT).read_bytes())


def bounds_of(settings: RetrainSettings) -> list[Bound]:
    """Of figures.

    Raises:
        UsageError: one is not NAME=NUMBER.
    """
    return [Bound.parse(one, least=True) for one in settings.minimum] + [
        Bound.parse(one, least=False) for one in settings.maximum
    ]


def _gate_settings(run: Run, looks: int) -> GateSettings:
    own = run.settings.tables().model_dump()
    tables = {name: value for name, value in run.snapshot.facts["columns"].items() if name in GateSettings.model_fields}
    read = GateSettings().model_dump(include=_READING)
    return GateSettings(**{**own, **read, **tables, "looks": looks})


_READING = {  # of the user's tables, which the snapshot's are not
    *("text_column", "text_pair_column", "query_column", "format", "encoding", "delimiter", "no_header"),
    *("skip_bad_rows", "label_column", "label_columns", "label_separator", "entities_column", "score_column"),
    "negative_column",
}


def _evidence(run: Run) -> Evidence:
    rows = run.snapshot
    return Evidence(rows.frozen, rows.fresh, run.settings.behaviour, bounds_of(run.settings), rows.names)


def _signed(found: Gated, settings: RetrainSettings) -> SignedVerdict:
    if settings.key is None:
        return found.verdict()
    return found.verdict().signed(read_private_key(settings.key, passphrase_in(settings.passphrase_file)))


def _reason(check: Check) -> str:
    return f"{check.name}: {check.sentence}"


def said(facts: dict[str, Any]) -> str:
    """Why a gate did not say yes."""
    word = "said no" if facts["decision"] == "no" else "could not decide"
    return f"the gate {word}: {'; '.join(facts['reasons'])}"
