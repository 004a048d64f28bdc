"""Is the challenger calibrated, the same on its engine as in full, and judged by rows that it has not seen?"""

from __future__ import annotations

from bertline.bundle.seen import seen_among
from bertline.errors import BertlineError
from bertline.inference import load_predictor
from bertline.lifecycle.gate.check import Check, Decision
from bertline.lifecycle.gate.rows import Contestant, Judged
from bertline.lifecycle.gate.settings import GateSettings
from bertline.statistics.figures import percent
from bertline.tasks import task

PARITY_ROWS = 500
TOLERATED_LEAKS = 0.01  # share of the rows: news repeat


def calibrated(judged: Judged, settings: GateSettings) -> Check | None:
    """The calibration error must not exceed the tolerated one, nor surely exceed the champion's; None without one."""
    own = judged.evaluation().metrics().get("ece")
    if own is None:
        return None
    name, figures = f"calibration · {judged.name}", {"challenger": own}
    said = f"expected calibration error {percent(own['value'])}"
    if own["low"] > settings.max_calibration_error:
        return Check(name, "no", f"{said}, more than {percent(settings.max_calibration_error)}", figures)
    other = None if judged.champion is None else judged.evaluation(champion=True).metrics().get("ece")
    if other is None:
        return Check(name, "yes", said, figures)
    figures["champion"] = other
    said += f", the champion's {percent(other['value'])}"
    return Check(name, "no" if own["low"] > other["high"] else "yes", said, figures)


def unseen(judged: Judged, challenger: Contestant) -> Check:
    """The rows must not be among the texts that the challenger learned from or was chosen by."""
    name, found = f"leakage · {judged.name}", seen_among(challenger.path, judged.inputs)
    if found is None:
        return Check(name, "yes", "the bundle does not say which texts it has seen, so leaks cannot be found")
    share = float(found.mean())
    said = f"{int(found.sum()):,} of {len(found):,} texts are among those that the challenger was trained on"
    return Check(name, "no" if share > TOLERATED_LEAKS else "yes", said, {"share": share})


def same_on_its_engine(judged: Judged, challenger: Contestant, settings: GateSettings) -> Check:
    """The engine that answers must agree with the full network."""
    name, predictor = "parity", challenger.predictor
    try:
        full = load_predictor(challenger.path, engine="torch" if predictor.engine == "fp32" else "fp32")
    except BertlineError as error:
        return Check(name, "yes", f"the full network cannot be loaded here, so the engine is not compared: {error}")
    spec, readings = judged.spec, judged.readings[:PARITY_ROWS]
    arrays = full.outputs(readings, spec.output)
    truth = judged.dataset.targets[:PARITY_ROWS]
    found = task(spec.task).measure.compare(spec, truth, judged.arrays[:PARITY_ROWS], arrays, readings)
    said = f"{predictor.engine} agrees with {full.engine} on {percent(found.agreement)} of {len(readings):,} rows"
    decision: Decision = "yes" if found.agreement >= settings.min_agreement else "no"
    return Check(name, decision, said, {"agreement": found.agreement, "rows": len(readings)})
