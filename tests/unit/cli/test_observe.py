from __future__ import annotations

import json
from pathlib import Path

import typer
import yaml
from typer.testing import CliRunner

from bertline.cli import observe

app = typer.Typer()
app.callback()(lambda: None)  # as in the whole command: its verbs keep their names
observe.register(app)


def test_the_command_writes_every_file_and_names_it(tmp_path: Path) -> None:
    arguments = ["observe", str(tmp_path), "--target", "a:1", "--target", "b:2", "--runbook", "https://wiki.example"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {line.removeprefix(f"{tmp_path}/") for line in done.output.split()} == written
    assert {
        "prometheus/prometheus.yml", "prometheus/rules.yml",
        "prometheus/rules-test.yml", "prometheus/rules-test-days.yml",
        "grafana/dashboards/bertline-service.json", "grafana/dashboards/bertline-models.json",
        "grafana/provisioning/datasources/bertline.yml", "grafana/provisioning/dashboards/bertline.yml",
        "elk/filebeat.yml", "elk/kibana.ndjson",
    } <= written  # fmt: skip
    config = yaml.safe_load((tmp_path / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert config["scrape_configs"][0]["static_configs"] == [{"targets": ["a:1", "b:2"]}]
    json.loads((tmp_path / "grafana" / "dashboards" / "bertline-models.json").read_text(encoding="utf-8"))
