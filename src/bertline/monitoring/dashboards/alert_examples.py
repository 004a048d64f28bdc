"""Examples of series that fire or do not fire each alert, in promtool's notation: ``0+60x30`` is 0, 60, 120, ….

The tests of the rules are generated from them. Each alert needs an example of both kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SERVER = 'job="bertline",instance="a:8000"'
_JOB, _INSTANCE = {"job": "bertline"}, {"job": "bertline", "instance": "a:8000"}
_MODEL = {**_INSTANCE, "model": "reviews"}

Series = tuple[str, str]  # a selector and its values


@dataclass(frozen=True, slots=True)
class AlertExample:
    """An example for one alert."""

    what: str  # the situation, in a few words
    series: tuple[Series, ...]  # each with a value per ``interval``
    at: str  # time of the evaluation
    fires: tuple[Mapping[str, str], ...] = ()  # labels of each expected alert, without name and severity
    interval: str = "1m"  # a key of ``prometheus.RULE_TESTS``


def _answers(status: int, values: str) -> Series:
    return f'bertline_http_requests_total{{{SERVER},method="POST",route="/v1/predict",status="{status}"}}', values


def _refused(code: str, values: str) -> Series:
    return f'bertline_problems_total{{{SERVER},code="{code}"}}', values


def _timed(quick: str, every: str, route: str = "/v1/predict") -> tuple[Series, ...]:
    name = "bertline_http_request_seconds"
    return (
        (f'{name}_bucket{{{SERVER},route="{route}",le="0.2"}}', quick),
        (f'{name}_count{{{SERVER},route="{route}"}}', every),
    )


def _one(name: str, labels: str, values: str) -> tuple[Series, ...]:
    return ((f"{name}{{{SERVER}{labels}}}", values),)


_RESTARTS = "bertline_worker_restarts_total"
_QUEUE = "bertline_queue_seconds"
_EXPIRY = "bertline_certificate_expiry_timestamp_seconds"
_SERVER_CERTIFICATE = ({**_INSTANCE, "certificate": "server"},)
_AUTH = "bertline_auth_failures_total"
_DROPPED = "bertline_log_lines_dropped_total"
_ENDED = "bertline_rollouts_ended_total"
_STORE_DOWN = "bertline_predictions_store_down"
_LOST = "bertline_predictions_dropped_total"
_DRIFT = "bertline_drift_found"
_CHECKED = "bertline_drift_checked_timestamp_seconds"
_FELL = "bertline_accuracy_dropped"
_SERVED, _ENGINE = "bertline_model_info", ',model="reviews",version="a1",engine="int8"'
_START = "process_start_time_seconds"
_UPKEEP = "bertline_predictions_upkeep_timestamp_seconds"
_FOLLOWED, _ALIAS = "bertline_registry_followed_timestamp_seconds", ',model="reviews",what="alias"'


def _tested(feedback: str, number: int) -> tuple[Series, ...]:
    """Accuracy was tested at 0, one version answers, and there is feedback."""
    return (
        *_one("bertline_accuracy_checked_timestamp_seconds", ',model="reviews"', f"0x{number}"),
        *_one("bertline_feedback_judged", f',model="reviews"{feedback}', f"90x{number}"),
        *_one(_SERVED, _ENGINE, f"1x{number}"),
    )


EXAMPLES: Mapping[str, tuple[AlertExample, ...]] = {
    "BertlineDown": (
        AlertExample("it answers", _one("up", "", "1x10"), "10m"),
        AlertExample("it did not answer once", _one("up", "", "1 1 0 1 1 1"), "5m"),
        AlertExample("it does not answer any more", _one("up", "", "1 1 0x10"), "5m", (_INSTANCE,)),
        AlertExample("it has no series", (), "5m", (_JOB,)),
    ),
    "BertlineNotReady": (
        AlertExample("it is ready", _one("bertline_ready", "", "1x10"), "10m"),
        AlertExample("a worker is replaced", _one("bertline_ready", "", "1 0 1x10"), "10m"),
        AlertExample("a model is lost", _one("bertline_ready", "", "1 0x10"), "5m", (_INSTANCE,)),
    ),
    "BertlineServerRestarts": (
        AlertExample("it was started once", _one(_START, "", "100x5 400x10"), "12m"),
        AlertExample(
            "it starts every two minutes", _one(_START, "", "100 100 220 220 340 340 460 460"), "7m", (_INSTANCE,)
        ),
    ),
    "BertlineWorkerRestarts": (
        AlertExample("one worker was lost", _one(_RESTARTS, ',model="reviews"', "0x5 1x10"), "12m"),
        AlertExample(
            "one is lost every two minutes", _one(_RESTARTS, ',model="reviews"', "0 0 1 1 2 2 3 3 4"), "8m", (_MODEL,)
        ),
    ),
    "BertlineAvailabilityBurnsFast": (
        AlertExample("all is well", (_answers(200, "0+6000x90"),), "80m"),
        AlertExample("1 in 1,000 fails", (_answers(200, "0+5994x90"), _answers(500, "0+6x90")), "80m"),
        AlertExample(
            "1 in 50 fails in the last of six hours",
            (_answers(200, "0+6000x300 1800000+5880x65"), _answers(500, "0x300 0+120x65")),
            "363m",
            (_JOB,),
        ),
        AlertExample(
            "1 in 50 is refused for lack of capacity",
            (_answers(200, "0+5880x90"), _answers(429, "0+120x90"), _refused("overloaded", "0+120x90")),
            "80m",
            (_JOB,),
        ),
        AlertExample(
            "a client has reached its own limit",
            (_answers(200, "0+3000x90"), _answers(429, "0+3000x90"), _refused("rate_limited", "0+3000x90")),
            "80m",
        ),
        AlertExample(
            "1 in 100 fails for six hours",
            (_answers(200, "0+89100x27"), _answers(503, "0+900x27")),
            "390m",
            (_JOB,),
            "15m",
        ),
        AlertExample(
            "it failed an hour ago and has recovered",
            (_answers(200, "0+6000x180"), _answers(500, "0+600x30 18000x150")),
            "60m",
        ),
        AlertExample("there are no requests", (_answers(200, "5x90"),), "80m"),
    ),
    "BertlineAvailabilityBurnsSlowly": (
        AlertExample(
            "1 in 2,000 fails", (_answers(200, "0+19990x400"), _answers(500, "0+10x400")), "3d", interval="15m"
        ),
        AlertExample(
            "1 in 500 fails for three days",
            (_answers(200, "0+9980x400"), _answers(500, "0+20x400")),
            "3d",
            (_JOB,),
            "15m",
        ),
    ),
    "BertlineLatencyBurnsFast": (
        AlertExample("1 in 200 is slow", _timed("0+5970x90", "0+6000x90"), "80m"),
        AlertExample(
            "1 in 5 is slow in the last of six hours",
            _timed("0+6000x300 1800000+4800x65", "0+6000x400"),
            "363m",
            (_JOB,),
        ),
        AlertExample("1 in 10 is slow for six hours", _timed("0+81000x27", "0+90000x27"), "390m", (_JOB,), "15m"),
        AlertExample("a route without a model is slow", _timed("0+4800x90", "0+6000x90", "/docs"), "80m"),
    ),
    "BertlineLatencyBurnsSlowly": (
        AlertExample("1 in 200 is slow", _timed("0+9950x400", "0+10000x400"), "3d", interval="15m"),
        AlertExample("1 in 50 is slow for three days", _timed("0+9800x400", "0+10000x400"), "3d", (_JOB,), "15m"),
    ),
    "BertlineQueueLong": (
        AlertExample("a burst is worked off", _one(_QUEUE, ',model="reviews"', "0 0.9 0.9 0x10"), "10m"),
        AlertExample("it stays long", _one(_QUEUE, ',model="reviews"', "0 0.8x10"), "8m", (_MODEL,)),
    ),
    "BertlineErrors": (
        AlertExample("1 in 1,000", (_answers(200, "0+5994x20"), _refused("internal", "0+6x20")), "15m"),
        AlertExample(
            "1 in 20",
            (_answers(200, "0+5700x20"), _answers(500, "0+300x20"), _refused("compute_failed", "0+300x20")),
            "15m",
            ({**_JOB, "code": "compute_failed"},),
        ),
        AlertExample("faults of clients", (_answers(422, "0+6000x20"), _refused("empty_text", "0+6000x20")), "15m"),
    ),
    "BertlineClientErrors": (
        AlertExample(
            "1 in 10",
            (_answers(200, "0+5400x40"), _answers(422, "0+600x40"), _refused("empty_text", "0+600x40")),
            "30m",
        ),
        AlertExample(
            "half of all",
            (_answers(200, "0+3000x40"), _answers(422, "0+3000x40"), _refused("wrong_type", "0+3000x40")),
            "30m",
            ({**_JOB, "code": "wrong_type"},),
        ),
        AlertExample("faults of the server", (_answers(500, "0+6000x40"), _refused("internal", "0+6000x40")), "30m"),
    ),
    "BertlineAuthFailures": (
        AlertExample("a few", _one(_AUTH, ',reason="unauthenticated"', "0+6x400"), "390m"),
        AlertExample("as many as usual", _one(_AUTH, ',reason="unauthenticated"', "0+120x400"), "390m"),
        AlertExample(
            "twenty times as many",
            _one(_AUTH, ',reason="invalid_credentials"', "0+12x380 4560+240x30"),
            "391m",
            (_JOB,),
        ),
    ),
    "BertlineCertificateExpiresSoon": (
        AlertExample("30 days left", _one(_EXPIRY, ',certificate="server"', f"{30 * 86_400}x120"), "90m"),
        AlertExample(
            "13 days left", _one(_EXPIRY, ',certificate="server"', f"{13 * 86_400}x120"), "90m", _SERVER_CERTIFICATE
        ),
        AlertExample("no TLS", _one("up", "", "1x120"), "90m"),
    ),
    "BertlineCertificateExpires": (
        AlertExample("13 days left", _one(_EXPIRY, ',certificate="server"', f"{13 * 86_400}x120"), "90m"),
        AlertExample(
            "2 days left", _one(_EXPIRY, ',certificate="server"', f"{2 * 86_400}x120"), "90m", _SERVER_CERTIFICATE
        ),
    ),
    "BertlineRolledBack": (
        AlertExample("one was promoted", _one(_ENDED, ',model="reviews",outcome="promoted"', "0x5 1x10"), "10m"),
        AlertExample(
            "one was rolled back",
            _one(_ENDED, ',model="reviews",outcome="rolled_back"', "0x5 1x10"),
            "10m",
            ({**_MODEL, "outcome": "rolled_back"},),
        ),
    ),
    "BertlineRegistryUnfollowed": (
        AlertExample("a large bundle was fetched", _one(_FOLLOWED, _ALIAS, "0x12 720+60x20"), "19m"),
        AlertExample(
            "the registry is away",
            _one(_FOLLOWED, _ALIAS, "0x40"),
            "25m",
            ({**_MODEL, "what": "alias"},),
        ),
    ),
    "BertlinePredictionStoreDown": (
        AlertExample("it was away for three minutes", _one(_STORE_DOWN, "", "0 1 1 1 0x10"), "9m"),
        AlertExample("it is away", _one(_STORE_DOWN, "", "1x10"), "9m", (_INSTANCE,)),
    ),
    "BertlinePredictionUpkeepStopped": (
        AlertExample("it was done two hours ago", _one(_UPKEEP, ',work="retention"', "0x200"), "2h"),
        AlertExample(
            "it was done four hours ago",
            _one(_UPKEEP, ',work="retention"', "0x300"),
            "4h",
            ({**_INSTANCE, "work": "retention"},),
        ),
    ),
    "BertlinePredictionsDropped": (
        AlertExample("none", _one(_LOST, "", "3x20"), "20m"),
        AlertExample("some", _one(_LOST, "", "0x5 40x10"), "10m", (_INSTANCE,)),
    ),
    "BertlineDrift": (
        AlertExample("nothing changed", _one(_DRIFT, ',model="reviews",kind="texts"', "0x10"), "5m"),
        AlertExample(
            "texts changed",
            _one(_DRIFT, ',model="reviews",kind="texts"', "0 1x10"),
            "5m",
            ({**_JOB, "model": "reviews", "kind": "texts"},),
        ),
    ),
    "BertlineDriftUnchecked": (
        AlertExample(
            "it was checked a week ago",
            (*_one(_CHECKED, ',model="reviews"', "0x700"), *_one(_SERVED, _ENGINE, "1x700")),
            "168h",
            interval="15m",
        ),
        AlertExample(
            "it was checked nine days ago",
            (*_one(_CHECKED, ',model="reviews"', "0x900"), *_one(_SERVED, _ENGINE, "1x900")),
            "216h",
            ({**_JOB, "model": "reviews"},),
            "15m",
        ),
        AlertExample(
            "a model that is no longer served was checked nine days ago",
            (*_one(_CHECKED, ',model="letters"', "0x900"), *_one(_SERVED, _ENGINE, "1x900")),
            "216h",
            interval="15m",
        ),
    ),
    "BertlineAccuracyDropped": (
        AlertExample(
            "it did not drop",
            (*_one(_FELL, ',model="reviews",version="a1"', "0x10"), *_one(_SERVED, _ENGINE, "1x10")),
            "5m",
        ),
        AlertExample(
            "it dropped",
            (*_one(_FELL, ',model="reviews",version="a1"', "0 1x10"), *_one(_SERVED, _ENGINE, "1x10")),
            "5m",
            ({**_JOB, "model": "reviews", "version": "a1"},),
        ),
        AlertExample(
            "that of a version that was replaced dropped",
            (*_one(_FELL, ',model="reviews",version="a0"', "1x10"), *_one(_SERVED, _ENGINE, "1x10")),
            "5m",
        ),
    ),
    "BertlineAccuracyUnchecked": (
        AlertExample("it was tested a week ago", _tested(',version="a1",judged="right"', 700), "169h", interval="15m"),
        AlertExample(
            "it was tested nine days ago, and the version that answers has feedback",
            _tested(',version="a1",judged="right"', 900),
            "216h",
            ({**_JOB, "model": "reviews"},),
            "15m",
        ),
        AlertExample(
            "only a version that was replaced has feedback",
            _tested(',version="a0",judged="wrong"', 900),
            "216h",
            interval="15m",
        ),
        AlertExample(
            "no feedback says right or wrong", _tested(',version="a1",judged="neither"', 900), "216h", interval="15m"
        ),
    ),
    "BertlineLogLinesDropped": (
        AlertExample("none", _one(_DROPPED, "", "3x20"), "20m"),
        AlertExample("some", _one(_DROPPED, "", "0x5 40x10"), "10m", (_INSTANCE,)),
    ),
}
