"""A bundle as an image: what containerd, CRI-O and podman need of it, always the same."""

from __future__ import annotations

import io
import json
import tarfile
from itertools import pairwise

import pytest

from bertline.bundle import Bundle
from bertline.registry.fetch.oci_image import ARTIFACT, digest_of, image_files, layers_of


def content(layer) -> bytes:  # type: ignore[no-untyped-def]
    return b"".join(layer.pieces(0))


def test_the_layers_hold_the_bundle_the_manifest_first(bundle: Bundle) -> None:
    layers = layers_of(bundle)
    assert [layer.paths for layer in layers] == [
        ("bertline.json",),
        ("model.safetensors",),
        ("config.json", "report/r.html"),
    ]
    files = {}
    for layer in layers:
        assert (digest_of(content(layer)), len(content(layer))) == (layer.digest, layer.size)
        with tarfile.open(fileobj=io.BytesIO(content(layer))) as archive:
            for member in archive:
                assert (member.uid, member.gid, member.mtime) == (0, 0, 0)
                assert member.mode == (0o755 if member.isdir() else 0o644)
                if member.isreg():
                    files[member.name] = archive.extractfile(member).read()  # type: ignore[union-attr]
    assert files == {name: (bundle.path / name).read_bytes() for name in (*bundle.manifest.files, "bertline.json")}


@pytest.mark.parametrize("start", [0, 1, 511, 512, 1_000_000, 3_146_000])
def test_a_layer_is_read_from_any_offset_on(bundle: Bundle, start: int) -> None:
    layer = layers_of(bundle)[1]
    pieces = list(layer.pieces(start, 2**20))
    assert b"".join(pieces) == content(layer)[start:]
    assert all(len(piece) == 2**20 for piece, _ in pairwise(pieces))


def test_the_index_has_an_image_for_each_architecture_with_the_same_layers(bundle: Bundle) -> None:
    layers = layers_of(bundle)
    configs, manifests, index = image_files(bundle, layers)
    listed = json.loads(index)["manifests"]
    assert [one["platform"]["architecture"] for one in listed] == ["amd64", "arm64"]
    assert [one["digest"] for one in listed] == [digest_of(manifest) for manifest in manifests]
    for config, manifest in zip(map(json.loads, configs), map(json.loads, manifests), strict=True):
        assert manifest["artifactType"] == ARTIFACT
        assert config["rootfs"]["diff_ids"] == [one["digest"] for one in manifest["layers"]]
        assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert image_files(bundle, layers_of(bundle)) == (configs, manifests, index)
