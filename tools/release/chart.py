"""The chart of a release: for any model at an address, with the figures of one that many users have the like of."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path

from bertline.bundle import Bundle, Manifest
from bertline.deploy import chart
from bertline.deploy.measured import ServerFigures
from bertline.destination import write_files
from bertline.errors import BertlineError
from bertline.tasks import read_spec
from tools.release.tagged import git, version_of

# Figures of bertline's server with a fine-tuned all-MiniLM-L6-v2, by make bench ONLY=serve.
FIGURES = Path(__file__).parents[2] / "docs" / "serving.json"
NAME = "bertline"
_DIGEST = re.compile(r"^Digest: (sha256:[0-9a-f]{64})$", re.MULTILINE)
# The image has no model, so the chart wants the address of one.
_ADDRESS = (
    (r"^    kind: image$", "    kind: address"),
    (r'^    path: "[^"]*" #', '    path: "" #'),
)


def measured() -> ServerFigures:
    """The figures of one server in the benchmark of serving."""
    ours = json.loads(FIGURES.read_bytes())["peers"]["bertline"]
    return ServerFigures(
        throughput_rps=ours["sustained_per_s"],
        load_s=ours["ready_s"],
        memory_bytes=round(ours["resident_mb"] * 1e6),
        threads=int(re.findall(r"(\d+) threads", ours["machine"])[0]),
        engine=ours["key"]["engine"],
        machine=ours["machine"].partition(", Python")[0],
        date=git(FIGURES.parent, "log", "-1", "--format=%cs", "--", FIGURES.name),
    )


def files(version: str, image: str) -> dict[str, str]:
    """The files by path.

    Args:
        version: of the release.
        image: reference of the server's image, with its digest.
    """
    task = read_spec({"task": "classify", "problem": "single", "labels": ["no", "yes"]})
    manifest = Manifest(name=NAME, task=task, max_tokens=128, truncation="head_tail", pooling="cls", checksum="0" * 64)
    texts = chart.files(Bundle(Path(), manifest), measured(), chart.image_of(image), version)
    values = texts["values.yaml"]
    for pattern, text in _ADDRESS:
        values, number = re.subn(pattern, text, values, flags=re.MULTILINE)
        if number != 1:
            raise BertlineError(f"values.yaml has {number} lines like {pattern}, not one: see tools/release/chart.py")
    values = re.sub(r'^  version: "[^"]*" #', '  version: "" #', values, count=1, flags=re.MULTILINE)
    about = f"appVersion: {version!r}".replace("'", '"')
    described = re.sub(r"^appVersion: .*$", about, texts["Chart.yaml"], flags=re.MULTILINE)
    return {**texts, "values.yaml": values, "Chart.yaml": described}


def push(root: Path, image: str, repository: str, out: Path, *, plain_http: bool = False) -> str:
    """Write, package and push the chart; its reference with the digest.

    Args:
        root: of the repository.
        image: reference of the server's image, with its digest.
        repository: registry and name of the folder of charts.
        out: directory of the package.
        plain_http: the registry has no TLS.

    Raises:
        BertlineError: Helm failed.
    """
    version = version_of(root)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / NAME
        write_files(files(version, image), directory, "the chart")
        given = ["--set", f"model.source.address=s3://models/trial@sha256:{'0' * 64}"]
        given += ["--set", "networkPolicy.egress.modelSource[0].cidr=10.0.0.0/8"]
        given += ["--set", "networkPolicy.egress.modelSource[0].port=443"]
        _helm("lint", "--strict", str(directory), *given)
        _helm("package", str(directory), "--destination", str(out))
    to = f"oci://{repository.lower()}"
    said = _helm("push", str(out / f"{NAME}-{version}.tgz"), to, *(["--plain-http"] if plain_http else []))
    digest = _DIGEST.search(said)
    if digest is None:
        raise BertlineError(f"helm push did not say the digest: {said.strip()}")
    return f"{repository.lower()}/{NAME}@{digest[1]}"


def _helm(*arguments: str) -> str:
    done = subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BertlineError(f"helm {arguments[0]}: {(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout + done.stderr
