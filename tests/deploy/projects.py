"""A project with a pipeline, in a git repository, whose hooks release to servers on this machine.

The hooks that bertline writes want a registry and a cluster. Those here keep releases in a directory, and an
environment is a real server on a port of its own.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bertline.deploy.pipeline import Pipeline, System, write_pipeline
from bertline.encoder.checkpoint import save_encoder
from bertline.evaluation.bounds import Bound
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer
from tests.service.spawn import COMMAND, ENVIRONMENT
from tests.unit.training.conftest import sentences, write_csv
from tools.stack import free_ports

ROOT = Path(__file__).parents[2]
FLAGS = "--epochs 20 --max-tokens 32 --precision fp32 --lr 2e-3 --batch-tokens 512"
# Of the gate: 80 rows tell a model that learned from one that did not, and nothing finer; this machine is busy.
GATE_FLAGS = "--margin 20 --max-calibration-error 1 --max-slower 20 --timed-texts 10"
ROWS = 480
HOOKS = {
    "image": 'mkdir -p "$PLACE/images" && cp -r "$1" "$PLACE/images/$(basename "$2")" && printf sha256:12 >"$3"',
    "scan": 'echo "$1" >>"$PLACE/scanned"',
    "sign": 'echo "$1" >>"$PLACE/signed"',
    "chart": 'mkdir -p "$PLACE/releases" && cp -r "$1" "$PLACE/releases/$3"',
    "release": 'echo "$3" >>"$PLACE/$1.history" && "$PLACE/start" "$1" "$3"',
    "undo": 'sed -i "\\$d" "$PLACE/$1.history" && "$PLACE/start" "$1" "$(tail -n 1 "$PLACE/$1.history")"',
}
START = """#!/bin/sh
# start ENVIRONMENT RELEASE: the environment's server ends, and one with this release begins.
set -eu
if [ -e "$PLACE/$1.pid" ]; then
    kill "$(cat "$PLACE/$1.pid")" || true
    while kill -0 "$(cat "$PLACE/$1.pid")" 2>/dev/null; do sleep 0.1; done # or it would answer for the next one
fi
case $1 in dev) port=$DEV_PORT ;; *) port=$PRODUCTION_PORT ;; esac
setsid bertline serve "$PLACE/releases/$2" --port "$port" --drain-s 0 >>"$PLACE/$1.log" 2>&1 </dev/null &
pid=$!
echo $pid >"$PLACE/$1.pid"
until curl --silent --fail --output /dev/null "http://127.0.0.1:$port/readyz"; do
    kill -0 $pid
    sleep 0.2
done
"""
BERTLINE = f"""#!/bin/sh
exec {sys.executable} -c '{COMMAND}' "$@"
"""


@dataclass(frozen=True)
class Project:
    """A project and what its pipeline left.

    Attributes:
        directory: of the repository.
        place: of releases, servers and logs.
        ports: of the environments.
    """

    directory: Path
    place: Path
    ports: dict[str, int]

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the pipeline's processes."""
        path = os.pathsep.join([str(self.place / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        return {
            **{name: value for name, value in ENVIRONMENT.items() if name != "CI"},
            "PATH": path,
            "HOME": str(self.place / "home"),
            "PLACE": str(self.place),
            "DEV_PORT": str(self.ports["dev"]),
            "PRODUCTION_PORT": str(self.ports["production"]),
        }

    def commit(self, message: str) -> str:
        """Commit everything; the name of the release that its pipeline publishes."""
        git = ["git", "-c", "user.name=tests", "-c", "user.email=tests@example.com"]
        for command in (["add", "--all"], ["commit", "--quiet", "--message", message]):
            subprocess.run([*git, *command], cwd=self.directory, check=True)
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=self.directory, check=True, capture_output=True, text=True
        )
        return f"0.0.0-g{head.stdout.strip()}"

    def spoil_labels(self) -> None:
        """Labels that say nothing about the texts."""
        rng = random.Random(0)
        rows = [(text, rng.choice(["good", "bad"])) for text, _ in sentences(ROWS)]
        write_csv(self.directory / "data" / "train.csv", rows)

    def mend_labels(self) -> None:
        """Labels that follow from the texts."""
        write_csv(self.directory / "data" / "train.csv", sentences(ROWS))

    def smoke(self, text: str) -> None:
        """What the smoke test asks."""
        self._set("SMOKE_TEXT", text)

    def production_at(self, path: str) -> None:
        """Below which path of its server production is asked."""
        self._set("PRODUCTION_URL", f"http://127.0.0.1:{self.ports['production']}{path}")

    def _set(self, name: str, value: str) -> None:
        settings = self.directory / "deploy" / "settings.sh"
        lines = [
            f'{name}="{value}"' if line.startswith((f': "${{{name}:', f"{name}=")) else line
            for line in settings.read_text().splitlines()
        ]
        settings.write_text("\n".join(lines) + "\n")

    def stored(self, tag: str) -> str | None:
        """Hash of the bundle that a tag of the store names."""
        file = self.place / "store" / "mails" / "tags" / f"{tag}.json"
        return str(json.loads(file.read_text())["version"]) if file.exists() else None

    def released(self, environment: str) -> list[str]:
        """The releases of an environment, the current one last."""
        history = self.place / f"{environment}.history"
        return history.read_text().split() if history.exists() else []

    def predicts(self, environment: str) -> bool:
        """Whether the environment's server answers."""
        url = f"http://127.0.0.1:{self.ports[environment]}/v1/predict"
        try:
            return httpx.post(url, json={"text": "is it"}, trust_env=False, timeout=30).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def project(folder: Path, system: System) -> Iterator[Project]:
    """A project whose first commit learns well; its servers end with the block."""
    directory, place = folder / "project", folder / "place"
    dev, production = free_ports(2)
    one = Project(directory, place, {"dev": dev, "production": production})
    (directory / "data").mkdir(parents=True)
    (place / "home").mkdir(parents=True)
    (place / "bin").mkdir()
    model = directory / "tiny"
    model.mkdir()
    save_encoder(model, tiny_classifier(family="bert", labels=2, pooling="cls").encoder)
    tiny_tokenizer().save(model)
    bounds = [Bound("accuracy", 0.8, least=True)]
    write_pipeline(Pipeline(system, "mails", "data/train.csv", "data/later.csv", bounds), directory)
    write_csv(directory / "data" / "later.csv", sentences(80, seed=9))
    one.mend_labels()
    for name, line in HOOKS.items():
        (directory / "deploy" / "hooks" / name).write_text(f"#!/bin/sh\nset -eu\n{line}\n")
    scripts = {place / "bin" / "bertline": BERTLINE, place / "bin" / "helm": "#!/bin/sh\necho v4.3.1\n"}
    for path, text in {place / "start": START, **scripts}.items():
        path.write_text(text)
        path.chmod(0o755)
    for name in ("requirements.txt", "requirements-store.txt"):
        (directory / "deploy" / name).write_text("# bertline is on the path\n")
    changes = {
        "TRAIN_FLAGS": f"--model ./tiny {FLAGS}",
        "GATE_FLAGS": GATE_FLAGS,
        "TOOLS": "curl git helm",  # HOOKS need no others
        "MODELS": f"file:{place / 'store'}",
        "DEV_URL": f"http://127.0.0.1:{dev}",
        "PRODUCTION_URL": f"http://127.0.0.1:{production}",
    }
    settings = directory / "deploy" / "settings.sh"
    settings.write_text("".join(f'{name}="{value}"\n' for name, value in changes.items()) + settings.read_text())
    one.smoke("is it")
    (directory / ".gitignore").write_text("build/\n")
    remote = ["git", "remote", "add", "origin", "https://git.example.com/team/mails.git"]
    for command in (["git", "init", "--quiet", "--initial-branch", "main"], remote):
        subprocess.run(command, cwd=directory, check=True)
    try:
        yield one
    finally:
        for file in place.glob("*.pid"):
            try:
                os.killpg(int(file.read_text()), signal.SIGKILL)
            except ProcessLookupError:
                continue
