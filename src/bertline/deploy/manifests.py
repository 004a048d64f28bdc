"""Plain manifests of a chart, rendered by Helm, with a ``kustomization.yaml`` for people who patch instead of set."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bertline.errors import BertlineError, UsageError

_SOURCE = re.compile(r"^---\n# Source: [^/\n]+/templates/(?P<name>\S+)\n", re.MULTILINE)
TIMEOUT_S = 60


def render(chart: Path, name: str, namespace: str, values: Sequence[Path] = ()) -> dict[str, str]:
    """The manifests of a release by file name, and ``kustomization.yaml``, without the test.

    Args:
        chart: directory of a chart.
        name: of the release.
        namespace: of all objects.
        values: files, of which later ones override earlier ones.

    Raises:
        UsageError: Helm is not installed.
        BertlineError: Helm refuses the chart or the values.
    """
    helm = shutil.which("helm")
    if helm is None:
        raise UsageError("rendering manifests needs helm, which is not on the path: install Helm 4 (https://helm.sh)")
    given = [part for one in values for part in ("--values", str(one))]
    command = [helm, "template", name, str(chart), "--namespace", namespace, "--skip-tests", *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise BertlineError(f"{chart} cannot be rendered: {_sentence(done.stderr)}")
    return _split(done.stdout, namespace)


def _split(rendered: str, namespace: str) -> dict[str, str]:
    """One file per template; a template may have several objects."""
    parts = _SOURCE.split(rendered)[1:]
    files: dict[str, str] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        files[name] = f"{files[name]}---\n{text.strip()}\n" if name in files else f"{text.strip()}\n"
    resources = "".join(f"  - {name}\n" for name in sorted(files))
    head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization"
    return files | {"kustomization.yaml": f"{head}\nnamespace: {namespace}\nresources:\n{resources}"}


def _sentence(errors: str) -> str:
    """What Helm says, on one line and without the places in its templates."""
    text = " ".join(line.strip() for line in errors.splitlines() if not line.startswith("level="))
    return re.sub(r"^Error: |execution error at \([^)]*\): | ?Use --debug flag.*$", "", text).strip()
