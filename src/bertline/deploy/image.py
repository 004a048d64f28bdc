"""The build context of a server's image: Dockerfile, lock, bertline's own wheel, and the model.

A bundle's directory is verified and put inside. An address is fetched when the container starts, and an image without
either serves what ``BERTLINE_MODEL`` names then.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from bertline import __version__
from bertline.bundle import Bundle, check_target, load
from bertline.bundle.fields import MANIFEST
from bertline.bundle.signing import PublicKey
from bertline.bundle.swap import swap
from bertline.bundle.verify import SIGNATURE
from bertline.deploy import wheel
from bertline.deploy.templates import fill, read
from bertline.destination import as_destination_error, check_room, claim, write_files
from bertline.errors import UsageError
from bertline.registry.fetch import parse_address

WHAT = "the build context"
MODELS = "models"


def write_context(directory: Path, bundle: Path, trusted: Sequence[PublicKey] | None = None) -> Bundle:
    """Write what an image is built from; existing files of ours and a bundle of the same name are replaced.

    Args:
        directory: made if it is not there.
        bundle: of the model inside; its copy is verified too.
        trusted: require a signature by one of these keys.

    Raises:
        BundleError: the bundle is damaged or altered, or a required signature is missing.
        DestinationError: the directory cannot be written to.
        UsageError: bertline is not installed.
    """
    model = load(bundle, trusted=trusted)
    _copy(model, directory / MODELS / model.manifest.name, trusted)
    write_files(files(model), directory, WHAT)
    return model


def write_without_model(directory: Path, address: str = "") -> None:
    """Write what an image is built from that has no model inside; existing files are replaced.

    Args:
        directory: made if it is not there.
        address: of the bundle that a container fetches; empty: the container's environment names one.

    Raises:
        DestinationError: the directory cannot be written to.
        UsageError: the address is none or not pinned, or bertline is not installed.
    """
    if address and parse_address(address).pin is None:
        raise UsageError(
            f"{address} may be another model tomorrow: pin it, {address}@sha256:…, with the hash that "
            "bertline models push printed"
        )
    write_files(files_without_model(address), directory, WHAT)


def files_without_model(address: str = "") -> dict[str, str | bytes]:
    """The files of an image without a model, by path."""
    about = f"the model {address}" if address else "models for texts"
    return _filled(
        "fetched.Dockerfile",
        {
            "title": _quoted("bertline"),
            "description": _quoted(f"{about}, behind bertline's HTTP API"),
            "version": _quoted(__version__),
            "licence": _quoted("Apache-2.0"),
            "address": _quoted(address),
        },
    )


def files(model: Bundle) -> dict[str, str | bytes]:
    """The files beside the bundle, by path."""
    manifest = model.manifest
    path = f"/{MODELS}/{manifest.name}"
    values = {
        "title": _quoted(manifest.name),
        "description": _quoted(
            f"{manifest.name}: a model for the task {manifest.task.task}, behind bertline's HTTP API"
        ),
        "version": _quoted(model.version),
        "created": _quoted(manifest.created),
        "licence": _quoted(_one_line(manifest.lineage.get("license") or "unknown")),
        "checksum": _quoted(manifest.checksum),
        "source": json.dumps(path[1:], ensure_ascii=False),
        "model": json.dumps(path, ensure_ascii=False),
    }
    return _filled("inside.Dockerfile", values)


def _filled(last: str, values: dict[str, str]) -> dict[str, str | bytes]:
    """The files with the Dockerfile of one last stage."""
    texts = read("image/serve")
    stages = {name: texts.pop(name) for name in list(texts) if name.endswith("Dockerfile")}
    text = f"{stages['Dockerfile']}\n{stages[last]}"
    values = {**values, "bertline_version": _quoted(__version__)}
    return {**texts, "Dockerfile": fill(text, values), wheel.NAME: wheel.pack()}


def _copy(model: Bundle, target: Path, trusted: Sequence[PublicKey] | None) -> None:
    """Copy the bundle's own files, readable for every user, and verify the copy before it takes the place."""
    names = [name for name in (*model.manifest.files, MANIFEST, SIGNATURE) if (model.path / name).is_file()]
    check_target(target, overwrite=True)
    check_room(target, WHAT, sum(one.bytes for one in model.manifest.files.values()))
    with claim(target, WHAT), as_destination_error(target, WHAT):
        staging = target.with_name(f".{target.name}.writing-{secrets.token_hex(4)}")
        try:
            for name in names:
                (staging / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(model.path / name, staging / name, follow_symlinks=False)
                (staging / name).chmod(0o644)
            for folder in (staging, *(one for one in staging.rglob("*") if one.is_dir())):
                folder.chmod(0o755)
            load(staging, trusted=trusted, checksum=model.manifest.checksum)
            if target.exists():
                shutil.rmtree(swap(staging, target))
            else:
                staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _quoted(text: str) -> str:
    """A value of a LABEL: in quotes, and with no variable in it."""
    return json.dumps(text, ensure_ascii=False).replace("$", "\\$")


def _one_line(value: object) -> str:
    return " ".join(str(value).split())
