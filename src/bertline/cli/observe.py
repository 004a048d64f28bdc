"""``bertline observe``: files with which Prometheus, Grafana and the Elastic stack watch the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bertline.destination import write_files
from bertline.errors import needing

WHAT = "the files"  # in messages about where they go
EPILOG = "Example: bertline observe watching --target 10.0.0.7:8000 --target 10.0.0.8:8000"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(observe)


def observe(
    directory: Annotated[Path, typer.Argument(help="Output directory; existing files are overwritten.")],
    target: Annotated[
        list[str] | None,
        typer.Option(help="Server to scrape, host:port or https://host:port; may be repeated. [127.0.0.1:8000]"),
    ] = None,
    key_file: Annotated[
        str | None,
        typer.Option(help="File on Prometheus' machine with a key or token that may read the metrics."),
    ] = None,
    runbook: Annotated[
        str | None, typer.Option(help="URL of the runbook, for links in alerts. [docs/runbook.md]")
    ] = None,
    prometheus_url: Annotated[str, typer.Option(help="URL of Prometheus for Grafana.")] = "http://localhost:9090",
) -> None:
    """Write monitoring configuration: for Prometheus, alerts with tests, Grafana dashboards, and files for ELK.

    It is generated from the tables of metrics and log fields, so it matches this version of the server.
    """
    with needing("writing these files needs {}", "yaml", "prometheus_client", extra="serve"):
        from bertline.monitoring.dashboards import elk, grafana, prometheus
    given = {"targets": tuple(target) if target else None, "key_file": key_file, "runbook": runbook}
    scrape = prometheus.Scrape(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    logs = {f"elk/{name}": text for name, text in elk.files().items()}
    files = {**prometheus.files(scrape), **grafana.files(prometheus_url), **logs}
    for path in write_files(files, directory, WHAT):
        typer.echo(str(path))
