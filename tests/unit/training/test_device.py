"""The precision of a training is what this machine multiplies faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from bertline.data.batching import pad
from bertline.training import device
from bertline.training.settings import TrainSettings


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What was found about this machine, before each test and after it."""
    device._cpu_multiplies_bf16.cache_clear()
    yield
    device._cpu_multiplies_bf16.cache_clear()


def timed(bf16_s: float) -> Callable[[torch.dtype], float]:
    return lambda precision: 2.0 if precision is torch.float32 else bf16_s


@pytest.mark.parametrize(("bf16_s", "faster"), [(1.0, True), (1.6, True), (1.7, False), (2.0, False), (3.4, False)])
def test_bf16_has_to_pay_for_its_rounding(bf16_s: float, faster: bool) -> None:
    assert device.faster_in_bf16(timed(bf16_s)) is faster


def test_one_slow_moment_of_the_machine_changes_no_verdict() -> None:
    moments: Iterator[float] = iter([90.0, *[1.0] * device.PROBES])

    def product_s(precision: torch.dtype) -> float:
        return 2.0 if precision is torch.float32 else next(moments)

    assert device.faster_in_bf16(product_s)


@pytest.mark.parametrize("fast", [True, False])
def test_auto_follows_the_measurement(monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr(device, "_product_s", timed(1.0 if fast else 2.0))
    placement = device.place(TrainSettings(model="m", device="cpu"))
    assert placement.precision is (torch.bfloat16 if fast else torch.float32)


def test_without_the_instructions_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    monkeypatch.setattr(device, "_product_s", lambda _: pytest.fail("it was measured"))
    assert device.place(TrainSettings(model="m", device="cpu")).precision is torch.float32


def test_a_probe_leaves_the_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    assert device._product_s(torch.float32) > 0
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("padded", [False, True])
def test_attend_is_left_out_only_where_all_tokens_are_real_and_nobody_reads_it(padded: bool) -> None:
    batch = pad([[5, 6, 7], [8, 9] if padded else [8, 9, 5]], pad_id=0)
    assert bool(batch.attend.all()) is not padded
    ids, attend, _ = device.to_device(batch, torch.device("cpu"))
    assert ids.tolist() == batch.ids.tolist()
    assert attend is not None
    assert attend.tolist() == batch.attend.tolist()
    ids, attend, _ = device.to_device(batch, torch.device("cpu"), reads_attend=False)
    assert ids.tolist() == batch.ids.tolist()
    assert (attend is None) is not padded
