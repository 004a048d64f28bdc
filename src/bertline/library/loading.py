"""From a bundle, or from a published checkpoint, to a ``Model``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bertline.inference import load_predictor
from bertline.library.model import Model
from bertline.registry.resolve import open_bundle


def load(
    bundle: str | Path,
    *,
    engine: str | None = None,
    device: str = "auto",
    batch_tokens: int | None = None,
    lanes: int | None = None,
    verify: bool = True,
) -> Model:
    """Open a bundle.

    The first engine of the bundle that works here answers; one that does not is left out with an ``EngineWarning``.

    Args:
        bundle: the directory that ``train``, ``distill`` or ``optimize`` wrote, or the address of a bundle, such as
            ``s3://bucket/prefix``, ``oci://host/name``, ``hf://owner/name``, or its name in the registry,
            ``models:/reviews@champion``: it is fetched.
        engine: the engine to use, and no other in its place; ``torch`` is PyTorch, ``words`` the linear
            model of words, if the bundle keeps one.
        device: where PyTorch computes: ``auto``, ``cpu`` or ``cuda``. ``auto`` is a GPU if PyTorch sees one.
        batch_tokens: bound on the padded tokens of a batch; by default what suits the engine.
        lanes: batches computed at a time by engines other than PyTorch; by default one per core.
        verify: compare the hash of every file first.

    Raises:
        BundleError: the bundle is missing, damaged or of a newer format, or no engine can be used.
        CheckpointError: its model is not one that bertline computes.
        SettingsError: there is no such device.
        UsageError: the bundle has no such engine.
        StoreError: it cannot be fetched.
    """
    directory = open_bundle(bundle)
    predictor = load_predictor(
        directory, engine=engine, device=device, batch_tokens=batch_tokens, lanes=lanes, verify=verify
    )
    return Model(predictor, partial(load_predictor, directory, device=device, lanes=lanes))


def import_model(checkpoint: str, *, out: str | Path, max_tokens: int | None = None, overwrite: bool = False) -> Model:
    """Make a bundle of a published model that answers as it is; nothing is trained.

    A masked language model fills in words (``Model.fill``), and a model of ``sentence-transformers`` embeds texts
    (``Model.embed``).

    Args:
        checkpoint: a directory with an HF checkpoint, an installed model, or a name on the hub.
        out: directory of the bundle to write.
        max_tokens: maximum tokens of a text, [CLS] and [SEP] included; by default as many as the checkpoint says or has
            positions. Of a longer text an embedder reads the beginning; any other model reads it in windows.
        overwrite: replace a bundle that is there.

    Returns:
        The bundle, opened.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is of another kind.
        SettingsError: ``max_tokens`` is out of its range.
        BundleError, DestinationError: ``out`` cannot be written.
    """
    from bertline.training.imported import import_checkpoint

    import_checkpoint(checkpoint, Path(out), max_tokens=max_tokens, overwrite=overwrite)
    return load(out)
