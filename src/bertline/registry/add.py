"""A bundle added to the registry: its files go into the store once, then MLflow gets a version that points there.

The store is addressed by content and a version is found again by its digest, so whatever was interrupted is done again
without doing anything twice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertline import __version__
from bertline.bundle import Manifest, load
from bertline.bundle.figures import Figure, figures
from bertline.bundle.verdict import SignedVerdict
from bertline.errors import UsageError
from bertline.registry.catalogue import PREFIX, Catalogue, ModelVersion
from bertline.registry.database import Database
from bertline.registry.fetch import Address, parse_address, push
from bertline.registry.fetch.address import LATEST
from bertline.registry.fetch.local import unwatched
from bertline.registry.fetch.pull import Watch
from bertline.registry.reference import check_name
from bertline.registry.schema import MIGRATIONS
from bertline.registry.settings import RegistrySettings
from bertline.registry.verdicts import Verdicts

LARGEST_FACTS = 90_000  # characters; a tag of MLflow has up to 100,000


@dataclass(frozen=True, slots=True)
class Added:
    """A version, and whether it is new: the same bundle is the same version."""

    version: ModelVersion
    is_new: bool


def add(
    bundle: Path,
    name: str,
    settings: RegistrySettings,
    *,
    by: str,
    run: str | None = None,
    verdict: SignedVerdict | None = None,
    watch: Watch = unwatched,
) -> Added:
    """Add a bundle as a version of a model.

    Args:
        bundle: its directory.
        name: of the model, which is made if it is new.
        settings: of the registry.
        by: who adds it.
        run: id of the MLflow run that trained it.
        verdict: of a gate on it, whatever that decided; it is kept with the version.
        watch: called with the bytes that are in the store and the bytes in all.

    Raises:
        UsageError: the name or the store cannot be used, a package is missing, or the verdict is about another bundle.
        BundleError: the bundle is damaged.
        StoreError, DestinationError: the store cannot be written.
        RegistryError: the database cannot be used.
    """
    manifest, place = load(bundle).manifest, store_address(settings)
    check_name(name)
    if verdict is not None and verdict.verdict.challenger != manifest.checksum:
        raise UsageError(
            f"the verdict is about the bundle {verdict.verdict.challenger[:12]}, and {bundle} is "
            f"{manifest.checksum[:12]}: give the verdict on this one"
        )
    with Database(settings.place, create=True) as database:
        catalogue, is_new = Catalogue(database), False
        if catalogue.with_digest(name, manifest.checksum) is None:
            from bertline.registry.mlflow_store import Mlflow

            mlflow = Mlflow(database, runs_place(place))
            MIGRATIONS.prepare(database)
            pinned = push(bundle, place, watch=watch)
            with database.alone():  # another process may have added the same bundle meanwhile
                is_new = catalogue.with_digest(name, manifest.checksum) is None
                if is_new:
                    mlflow.add_version(name, plain_uri(pinned), tags(manifest, pinned, by), run)
        if verdict is not None:
            Verdicts(database).add(verdict)
        version = catalogue.with_digest(name, manifest.checksum)
        assert version is not None, "it was added, or was there"
        return Added(version, is_new)


def store_address(settings: RegistrySettings) -> Address:
    """Of the store of bundles, without a tag: versions in it are known by their hash.

    Raises:
        UsageError: it is neither a directory nor a bucket, or has a tag or hash.
    """
    address = parse_address(settings.bundles)
    if address.scheme not in ("file", "s3") or address.tag != LATEST:
        raise UsageError(
            f"{settings.bundles} cannot be the store of a registry: give a directory or s3://BUCKET/PREFIX, without a "
            "tag or hash"
        )
    if address.scheme == "file":
        address = replace(address, place=str(Path(address.place).expanduser().absolute()))
    return replace(address, tag=None)


def runs_place(store: Address) -> str:
    """Where MLflow's runs keep their artefacts: beside the bundles."""
    return f"s3://{store.place}/runs" if store.scheme == "s3" else f"{store.place}/runs"


def plain_uri(pinned: Address) -> str:
    """Of the bundle's directory in the store, as MLflow downloads it."""
    folder = f"{pinned.place}/{pinned.pin}"
    return f"s3://{folder}" if pinned.scheme == "s3" else Path(folder).as_uri()


def tags(manifest: Manifest, pinned: Address, by: str) -> dict[str, str]:
    """What MLflow's version says of a bundle."""
    main = main_figure(manifest.metrics)
    fingerprint = manifest.data.get("fingerprint")
    data = fingerprint.get("sha256") if isinstance(fingerprint, dict) else None
    notes = {
        "digest": manifest.checksum,
        "address": str(pinned),
        "task": manifest.task.task,
        "added_by": by,
        "code": f"bertline {manifest.bertline_version}",
        **({"data": str(data)} if data else {}),
        **({"figure": f"{main.title} {main.text} {main.interval}".strip()} if main else {}),
        "facts": _facts(manifest),
    }
    return {PREFIX + name: value for name, value in notes.items()}


def main_figure(metrics: Any) -> Figure | None:
    """The first figure with an interval, which is the one that the task is judged by."""
    each = figures(metrics).values()
    return next((one for one in each if one.interval), next(iter(each), None))


def _facts(manifest: Manifest) -> str:
    """The manifest without its files; of one that is too long for a tag, without what is longest in it."""
    facts = manifest.model_dump(mode="json", exclude={"files", "checksum", "format_version"})
    facts["bytes"] = sum(file.bytes for file in manifest.files.values())
    facts["added_with"] = __version__
    for longest in ("task", "data", "metrics", "training", "engines", "lineage"):
        text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
        if len(text) <= LARGEST_FACTS:
            return text
        facts[longest] = None
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
