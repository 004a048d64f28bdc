"""Measures a bundle's engines on this machine, for the simulation."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from bertline.bundle.engine import RESERVED as TORCH
from bertline.deploy.capacity.batch_times import measure_batches
from bertline.deploy.capacity.processes import check_proc
from bertline.deploy.capacity.sample import Sample
from bertline.deploy.capacity.server_cost import measure_server
from bertline.deploy.capacity.service_times import ServiceTimes
from bertline.machine.cores import usable_cores
from bertline.machine.gpu import torch_sees_gpu
from bertline.machine.instructions import processor


def measure(
    bundle: Path, engines: Sequence[str], sample: Sample, seconds: float, notify: Callable[[str], None]
) -> list[ServiceTimes]:
    """The times of each engine.

    Args:
        bundle: its directory.
        engines: by name.
        sample: the texts.
        seconds: for each engine; half for batches, half for the server.
        notify: called with what is done next.

    Raises:
        BundleError: the bundle cannot be computed.
        MeasuringFailed: the server does not start or answer.
        UsageError: this system does not say how much CPU time a process has used.
    """
    check_proc()
    load = os.getloadavg()[0]  # before the measuring, which is a load itself
    found = []
    for engine in engines:
        gpu = engine == TORCH and torch_sees_gpu()
        notify(f"Measuring {engine}: batches")
        batches = measure_batches(bundle, engine, sample, seconds / 2, gpu=gpu)
        notify(f"Measuring {engine}: the server")
        server = measure_server(bundle, engine, sample.bodies, seconds / 2)
        found.append(
            ServiceTimes(
                engine=engine,
                processor=processor(),
                cores=usable_cores(),
                gpu=gpu,
                lanes=batches.lanes,
                batch_tokens=batches.batch_tokens,
                knots=batches.knots,
                spread=batches.spread,
                request_s=server.request_s,
                batch_s=server.batch_s,
                transit_s=server.transit_s,
                memory_mb=server.memory_mb,
                start_s=server.start_s,
                load=load,
            )
        )
    return found
