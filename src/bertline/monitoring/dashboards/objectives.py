"""Service-level objectives and their burn rates: shares of failed and slow requests per window.

Burn rates are those of Google's SRE workbook (chapter 5, "Alerting on SLOs", table 5-8): a page if 2 % of a month's
budget is used in an hour or 5 % in six, a ticket if 10 % is used in three days.
"""

from __future__ import annotations

from dataclasses import dataclass

from bertline.monitoring.addresses import MODEL_ROUTES

SLOW_S = 0.2  # must be the upper bound of a bucket of bertline_http_request_seconds
AVAILABLE = 0.999
FAST = 0.99

# Only routes that use a model: probes, pages and the API's description would dilute the shares.
ASKED = f'route=~"{MODEL_ROUTES}"'  # Prometheus anchors the expression at both ends
POSTED = f'method="POST",{ASKED}'  # GET / is the page
WINDOWS = ("5m", "30m", "1h", "6h", "3d")


@dataclass(frozen=True, slots=True)
class Objective:
    """A service-level objective.

    Attributes:
        name: of the share of bad requests, for recording rules: ``job:bertline_<name>_share:rate5m``.
        target: share of good requests.
    """

    name: str
    target: float

    def share(self, window: str) -> str:
        """The name of the recorded share of bad requests."""
        return f"job:bertline_{self.name}_share:rate{window}"

    def burns(self, *pairs: tuple[float, str, str]) -> str:
        """An expression: the burn rate is too high, both over a long and a short window.

        Args:
            pairs: burn rate, long and short window; one of them is enough.
        """
        budget = 1 - self.target
        return "\nor\n".join(
            f"({self.share(long)} > {rate * budget:.6g} and {self.share(short)} > {rate * budget:.6g})"
            for rate, long, short in pairs
        )


FAILED = Objective("failed", AVAILABLE)
SLOW = Objective("slow", FAST)
PAGE = ((14.4, "1h", "5m"), (6.0, "6h", "30m"))
TICKET = ((1.0, "3d", "6h"),)


def failed_share(window: str) -> str:
    """The share of requests to a model that got a 5xx, or a 429 for lack of capacity (not for a client's limit).

    ``or`` unites both kinds, whose labels differ, and the zero before the first failure.
    """
    asked = f"sum by (job) (rate(bertline_http_requests_total{{{POSTED}}}[{window}]))"
    return (
        "(\n"
        f'  sum by (job) (\n    rate(bertline_http_requests_total{{{POSTED},status=~"5.."}}[{window}])\n'
        f'    or rate(bertline_problems_total{{code="overloaded"}}[{window}])\n  )\n'
        f"  or 0 * {asked}\n"
        f")\n/ ({asked} > 0)"
    )


def slow_share(window: str) -> str:
    """The share of requests to a model, including batches, that took longer than ``SLOW_S``."""
    quick = f'bertline_http_request_seconds_bucket{{{ASKED},le="{SLOW_S}"}}'
    every = f"bertline_http_request_seconds_count{{{ASKED}}}"
    return f"1 - sum by (job) (rate({quick}[{window}]))\n/ (sum by (job) (rate({every}[{window}])) > 0)"


def recorded() -> dict[str, str]:
    """The expressions of recording rules by name."""
    shares = {FAILED: failed_share, SLOW: slow_share}
    return {one.share(window): expression(window) for one, expression in shares.items() for window in WINDOWS}
