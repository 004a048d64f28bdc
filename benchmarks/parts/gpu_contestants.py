"""Who is timed on a GPU: bertline, transformers with sdpa attention, and the same compiled by torch; all in bf16.

A contestant is a function of one batch, from arrays in the host's memory to what a user waits for: the logits in the
host's memory, or the weights after one step. bertline runs what its commands run. The peer runs as its documentation
has it for speed: inference with weights in bf16, training as its Trainer does with ``bf16=True`` (fp32 weights,
autocast, fused AdamW, gradients clipped at a norm of 1), and a mask only for a batch that is padded. ``torch.compile``
gets CUDA graphs (``reduce-overhead``) where all batches have one shape, and dynamic shapes where they do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification
from transformers import logging as peer_logging

from bertline.data.batching import Batch
from bertline.encoder.checkpoint import load_classifier
from bertline.inference.torch_backend import TorchBackend
from bertline.tasks.classify.learn import loss
from bertline.tasks.classify.spec import Spec
from bertline.training.device import Placement, to_device
from bertline.training.optimizer import Optimizer
from bertline.training.settings import TrainSettings

Kind = Literal["training", "inference"]
Step = Callable[[Batch, Tensor], object]  # a batch and the label index of each of its texts

OURS, PEER, PEER_COMPILED = "bertline", "transformers, sdpa", "transformers, sdpa, torch.compile"
BF16 = torch.bfloat16


def contestants(
    kind: Kind, directory: Path, device: torch.device, *, one_shape: bool, compile_mode: str
) -> dict[str, Callable[[], Step]]:
    """By name, what loads each contestant from the same checkpoint directory."""
    peer_logging.set_verbosity_error()
    peer_logging.disable_progress_bar()
    ours, peer = (our_training, peer_training) if kind == "training" else (our_inference, peer_inference)
    options = {"mode": compile_mode, "dynamic": False} if one_shape else {"dynamic": True}
    return {
        PEER: lambda: peer(directory, device, None),
        PEER_COMPILED: lambda: peer(directory, device, options),
        OURS: lambda: ours(directory, device),
    }


def our_inference(directory: Path, device: torch.device) -> Step:
    """The back end of ``bertline predict`` and ``bertline serve``."""
    backend = TorchBackend(directory, device=str(device), precision="bf16")
    return lambda batch, _: backend.compute(batch)


def our_training(directory: Path, device: torch.device) -> Step:
    """What ``training.loop`` does with a batch."""
    settings, placement = TrainSettings(), Placement(device, BF16)
    classifier = load_classifier(directory).to(device).train()
    optimizer, spec = Optimizer(classifier, settings), Spec(labels=tuple(map(str, range(classifier.labels))))

    def step(batch: Batch, targets: Tensor) -> None:
        ids, attend = to_device(batch, device, reads_attend=False)
        with placement.computing():
            summed = loss(spec, classifier(ids, attend), targets.to(device))
        if not math.isfinite(float(summed.detach())):
            raise RuntimeError("the loss is not finite")
        (summed / len(targets)).backward()
        optimizer.step(1.0)

    return step


def peer_inference(directory: Path, device: torch.device, compiled: Mapping[str, Any] | None) -> Step:
    """Logits of the peer's model, its weights in bf16."""
    model = _peer(directory, BF16, device, compiled).eval()

    def step(batch: Batch, _: Tensor) -> object:
        with torch.inference_mode():
            return model(**_inputs(batch, device)).logits.float().cpu().numpy()

    return step


def peer_training(directory: Path, device: torch.device, compiled: Mapping[str, Any] | None) -> Step:
    """A step as the peer's Trainer takes it with ``bf16=True``."""
    settings = TrainSettings()
    model = _peer(directory, torch.float32, device, compiled).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True)

    def step(batch: Batch, targets: Tensor) -> None:
        with torch.autocast(device.type, BF16):
            loss = model(**_inputs(batch, device), labels=targets.to(device)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def _peer(directory: Path, dtype: torch.dtype, device: torch.device, compiled: Mapping[str, Any] | None) -> Any:
    model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=dtype, attn_implementation="sdpa")
    model = model.to(device)
    return model if compiled is None else torch.compile(model, **compiled)


def _inputs(batch: Batch, device: torch.device) -> dict[str, Tensor]:
    inputs = {"input_ids": torch.from_numpy(batch.ids).to(device)}
    if not batch.attend.all():
        inputs["attention_mask"] = torch.from_numpy(batch.attend).to(device).long()
    return inputs
