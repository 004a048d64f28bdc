"""What the service promises, and how fast it breaks the promise: shares of failed and slow requests per window.

Objectives and burn rates are those of Google's SRE workbook (chapter 5, "Alerting on SLOs", table 5-8): a page where
2 % of a month's budget went in an hour or 5 % in six, a ticket where 10 % went in three days.
"""

from __future__ import annotations

from dataclasses import dataclass

from bertline.monitoring.addresses import MODEL_ROUTES

SLOW_S = 0.2  # an upper bound of a bucket of bertline_http_request_seconds, or it could not be counted
AVAILABLE = 0.999
FAST = 0.99

# Only routes that ask a model something: probes, pages and the API's description would dilute the shares.
ASKED = f'route=~"{MODEL_ROUTES}"'  # Prometheus anchors the expression at both ends
POSTED = f'method="POST",{ASKED}'  # GET / is the page
WINDOWS = ("5m", "30m", "1h", "6h", "3d")


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise.

    Attributes:
        name: of the share of requests that break it, for rules: ``job:bertline_<name>_share:rate5m``.
        target: share of requests that must keep it.
    """

    name: str
    target: float

    def share(self, window: str) -> str:
        """The recorded share of requests that broke it."""
        return f"job:bertline_{self.name}_share:rate{window}"

    def burns(self, *pairs: tuple[float, str, str]) -> str:
        """True where the budget goes so many times faster than it may, over a long window and still over a short one.

        Args:
            pairs: burn rate, long and short window; any of them.
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
    """Of the requests to a model: 5xx answers, and 429 for want of capacity; 429 for a client's own limit is its own.

    ``or`` keeps both kinds of failures, whose labels differ, and the zero where there is none yet.
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
    """Of the requests to a model: those that took longer than ``SLOW_S``, batches among them."""
    quick = f'bertline_http_request_seconds_bucket{{{ASKED},le="{SLOW_S}"}}'
    every = f"bertline_http_request_seconds_count{{{ASKED}}}"
    return f"1 - sum by (job) (rate({quick}[{window}]))\n/ (sum by (job) (rate({every}[{window}])) > 0)"


def recorded() -> dict[str, str]:
    """Expressions by the name under which Prometheus records them."""
    shares = {FAILED: failed_share, SLOW: slow_share}
    return {one.share(window): expression(window) for one, expression in shares.items() for window in WINDOWS}
