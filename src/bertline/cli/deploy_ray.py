"""``bertline deploy ray``: a command on a cluster that KubeRay makes for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bertline.errors import UsageError, needing

EPILOG = (
    "Example: bertline deploy ray nightly --image registry.example.com/bertline-batch@sha256:… --workers 8 --cores 4 "
    "--plan plan.json --out nightly.yaml -- predict s3://models/reviews@sha256:… --input s3://data/new "
    "--output s3://data/scored"
)
WHAT = "the RayJob"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("ray", epilog=EPILOG)(ray)


def ray(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the job.")],
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="-- COMMAND…",
            help="What it runs: predict, evaluate, optimize, train, distill or pretrain, with their flags but --ray.",
        ),
    ],
    image: Annotated[
        str,
        typer.Option(metavar="REFERENCE", help="Image of --target batch, built with EXTRA=ray: registry/name@sha256:…"),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the manifest; it is replaced.")],
    workers: Annotated[int, typer.Option(min=1, help="Pods that compute.")] = 2,
    cores: Annotated[int, typer.Option(min=1, help="Cores of each of them.")] = 2,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs of each of them.")] = 0,
    memory: Annotated[str | None, typer.Option(metavar="AMOUNT", help="Memory of each of them, such as 6Gi.")] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Output of bertline plan --json: the measured memory of the model, for predict."
        ),
    ] = None,
    claim: Annotated[
        str,
        typer.Option(metavar="NAME", help="Volume claim (ReadWriteMany) that all pods mount at /data. [s3:// only]"),
    ] = "",
    secret: Annotated[
        str, typer.Option(metavar="NAME", help="Secret whose keys become variables, such as AWS_ACCESS_KEY_ID.")
    ] = "",
    service_account: Annotated[
        str, typer.Option(metavar="NAME", help="Service account with a workload identity, instead of keys.")
    ] = "",
    env: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Variable of all pods; may be repeated.")
    ] = None,
    retries: Annotated[int, typer.Option(min=0, help="New clusters after a failure; each does what is left.")] = 3,
    limit_s: Annotated[int | None, typer.Option(min=1, help="Seconds after which the job fails. [no limit]")] = None,
    keep_s: Annotated[int, typer.Option(min=0, help="Seconds for which the cluster stays after the end.")] = 600,
) -> None:
    """Write a RayJob for KubeRay: a cluster for one command, which ends with it.

    The pods are restricted (not root, read-only root, no token of a service account), the cluster has a token of its
    own, and a NetworkPolicy keeps others out. Needs KubeRay 1.5.1 or newer in the cluster, and nothing here.
    """
    with needing("writing the RayJob needs {}", "yaml", "prometheus_client", "fastapi", extra="serve"):
        from bertline.deploy.chart import image_of
        from bertline.deploy.ray_job import RayJob, manifest
        from bertline.destination import as_destination_error, check_place, replace_file

    job = RayJob(
        name, image_of(image), command, workers, cores, memory or _memory(plan, command, cores), gpus, claim, secret,
        service_account, _variables(env or ()), retries, limit_s, keep_s,
    )  # fmt: skip
    check_place(out, WHAT)
    with as_destination_error(out, WHAT):
        replace_file(out, manifest(job).encode())
    typer.echo(f"{out}: {job.entrypoint}")


def _memory(plan: Path | None, command: list[str], cores: int) -> str:
    """What a pod needs, from figures of the model.

    Raises:
        UsageError: there are none, or they are not of this work.
    """
    from bertline.deploy.measured import read_measured
    from bertline.deploy.ray_job import memory_of

    if plan is None:
        raise UsageError(
            "nothing says how much memory a worker needs: give --memory, such as 6Gi, or for predict --plan with the "
            "output of bertline plan --json"
        )
    if command[:1] != ["predict"]:
        raise UsageError(f"--plan has the memory of a server, not of {' '.join(command[:1])}: give --memory")
    return memory_of(read_measured(plan), cores)


def _variables(given: list[str] | tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE by name.

    Raises:
        UsageError: one has no name.
    """
    pairs = [one.partition("=") for one in given]
    for name, sign, _ in pairs:
        if not (sign and name.isidentifier()):
            raise UsageError(f"--env {name} sets nothing: write NAME=VALUE, such as AWS_REGION=eu-central-1")
    return {name: value for name, _, value in pairs}
