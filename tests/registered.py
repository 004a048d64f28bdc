"""Registries for tests: MLflow's real tables, made once per process and copied, with versions of tiny bundles."""

from __future__ import annotations

import functools
import hashlib
import shutil
import tempfile
from pathlib import Path

from bertline.registry.catalogue import PREFIX, Catalogue
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.mlflow_store import Mlflow
from bertline.registry.reference import Reference
from bertline.registry.rollout import Rollout, Tally
from bertline.registry.rollouts import Rollouts
from bertline.service.following import Following
from bertline.serving.follow import Followed


def digest_of(name: str, number: int) -> str:
    """A digest that no bundle has."""
    return hashlib.sha256(f"{name} {number}".encode()).hexdigest()


def fill(url: str, **models: int) -> str:
    """Register so many versions of each model, which are no real bundles, in a new registry; returns its URL."""
    with Database(url, create=True) as database:
        mlflow = Mlflow(database, tempfile.gettempdir())
        for name, versions in models.items():
            for number in range(1, versions + 1):
                digest = digest_of(name, number)
                tags = {"digest": digest, "address": f"file:/shelf@sha256:{digest}", "task": "classify"}
                mlflow.add_version(name, f"file:///shelf/{digest}", {PREFIX + key: tags[key] for key in tags})
        assert len(Catalogue(database).versions()) == sum(models.values())
    return url


@functools.cache
def _template() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="bertline-registry-"))
    fill(f"sqlite:///{directory / 'models.db'}", reviews=4, topics=1)
    return directory / "models.db"


def new_registry(directory: Path) -> str:
    """URL of a registry in SQLite with reviews:1 to reviews:4 and topics:1; MLflow's 68 migrations ran once."""
    path = directory / "models.db"
    shutil.copyfile(_template(), path)
    return f"sqlite:///{path}"


def begun(url: str, *steps: str) -> Rollout:
    """A rollout of ``reviews:2``, which one server has counted for."""
    with Database(url) as database:
        Deployments(database, "ana").promote(Reference("reviews", version=1), reason="the first")
        rollouts = Rollouts(database, "ana")
        rollout = rollouts.begin(Reference("reviews", version=2), steps, {"min_requests": 1000}, reason="a drill")
        rollouts.count(rollout, "a", Tally(champion_requests=90, challenger_requests=10, compared=10, disagreed=1))
        rollouts.count(rollout, "b", Tally(champion_requests=45, challenger_requests=5, challenger_errors=1))
    return rollout


def following(url: str) -> Following:
    """Of a server that serves its champion as reviews."""
    champion = Followed(Reference("reviews", alias="champion"), digest_of("reviews", 1))
    return Following({"reviews": champion}, url)
