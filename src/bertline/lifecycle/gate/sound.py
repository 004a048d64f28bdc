"""Is the challenger calibrated, the same on its engine as in full, and judged by rows that it has not seen?"""

from __future__ import annotations

from bertline.bundle.engine import FULL
from bertline.bundle.engine import RESERVED as TORCH
from bertline.bundle.seen import seen_among
from bertline.errors import BertlineError, BundleError
from bertline.inference import TextClassifier, load_predictor
from bertline.lifecycle.gate.check import Check, Decision
from bertline.lifecycle.gate.rows import Contestant, Judged
from bertline.lifecycle.gate.settings import GateSettings
from bertline.optimization.pick import FP32_NAME
from bertline.statistics.figures import how_many, percent
from bertline.tasks import task

PARITY_ROWS = 500
LEAST_AGREEMENT = 0.98  # of two engines of the same network


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


def unseen(judged: Judged, challenger: Contestant, settings: GateSettings) -> Check:
    """The rows must not be among the texts that trained or chose the challenger; undecided if it does not name them."""
    name = f"leakage · {judged.name}"
    if settings.max_leaked == 1:
        return Check(name, "yes", "not checked, because max_leaked is 1")
    found = seen_among(challenger.path, judged.inputs)
    if found is None:
        remedy = "train it again with this version, or set max_leaked to 1 if these texts are surely new to it"
        said = "the bundle does not say which texts it was trained on, so leaks cannot be found"
        return Check(name, "undecided", f"{said}: {remedy}")
    share = float(found.mean())
    said = f"{int(found.sum()):,} of {len(found):,} texts are among those that the challenger was trained on"
    return Check(name, "no" if share > settings.max_leaked else "yes", said, {"share": share})


def same_on_its_engine(judged: Judged, challenger: Contestant, settings: GateSettings) -> Check:
    """The engine that answers must agree with the full network; undecided where that cannot be loaded.

    A student is another network, so nothing is asked of its engine unless ``min_agreement`` is set: the answers that
    other checks judge are its own.
    """
    name, predictor, least = "parity", challenger.predictor, settings.min_agreement
    if not challenger.manifest.engines:
        return Check(name, "yes", "the bundle has no engine: PyTorch answers from the full network itself")
    networks = {one.name: one.network for one in challenger.manifest.engines}
    if least is None and networks.get(predictor.engine, FULL) != FULL:
        said = f"{predictor.engine} answers with a student, which may differ: the other checks judge its own answers"
        return Check(name, "yes", said)
    least = LEAST_AGREEMENT if least is None else least
    if not least:
        return Check(name, "yes", "not checked, because min_agreement is 0")
    try:
        full = _full_network(challenger)
    except BertlineError as error:
        remedy = "judge it where the full network can be loaded, or set min_agreement to 0"
        return Check(name, "undecided", f"{predictor.engine} is compared with nothing ({error}): {remedy}")
    spec, readings = judged.spec, judged.readings[:PARITY_ROWS]
    arrays = full.outputs(readings, spec.output)
    truth = judged.dataset.targets[:PARITY_ROWS]
    found = task(spec.task).measure.compare(spec, truth, judged.arrays[:PARITY_ROWS], arrays, readings)
    on = f"{percent(found.agreement)} of {how_many(len(readings), 'row')}"
    said = f"{predictor.engine} agrees with {full.engine} on {on}"
    decision: Decision = "yes" if found.agreement >= least else "no"
    return Check(name, decision, said, {"agreement": found.agreement, "rows": len(readings)})


def _full_network(challenger: Contestant) -> TextClassifier:
    """The full network in fp32 on another engine than the one that answers: the bundle's own, otherwise PyTorch.

    Raises:
        BertlineError: neither can be loaded here.
    """
    others = [one for one in (FP32_NAME, TORCH) if one != challenger.predictor.engine]
    there = {TORCH, *(one.name for one in challenger.manifest.engines)}
    refused: list[BertlineError] = []
    for engine in filter(there.__contains__, others):
        try:
            return load_predictor(challenger.path, engine=engine)
        except BertlineError as error:
            refused.append(error)
    if refused:
        raise refused[-1]
    raise BundleError(f"{challenger.path} has no engine {FP32_NAME}, with which PyTorch's answers could be compared")
