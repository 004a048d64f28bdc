"""The Open Inference Protocol v2 over HTTP, with Triton's extensions for binary tensors and classification.

A model has one input, texts (BYTES), and the outputs of ``outputs_of``; ``UNNAMED`` are the default ones.
https://github.com/kserve/open-inference-protocol
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, ClassVar

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, FailFast, Field
from pydantic_core import to_json

from bertline import __version__
from bertline.service.name_convertor import converted
from bertline.service.routes import health
from bertline.service.routes.context import MODEL_ERRORS, DeadlineNow, ServingNow, answer_headers, routes_of
from bertline.service.routes.fields import Tolerant
from bertline.service.routes.json_body import json_value
from bertline.service.routes.kserve import KSERVE, body_of, check_ready, parsed
from bertline.service.routes.oip.tensors import (
    LENGTH_HEADER,
    InputTensor,
    OutputTensor,
    note_unknown,
    split,
    texts_of,
    written,
)
from bertline.serving.answered import Answered, made
from bertline.serving.problems import Code, Problem
from bertline.serving.version import Version

# Datatype and shape of each output; -1 is any number, 0 the number of labels.
RANKED = {"label": ("BYTES", [-1]), "probabilities": ("FP32", [-1, 0])}
LOGITS = {"logits": ("FP32", [-1, 0])}
EVERY = {"embedding": ("FP32", [-1, -1]), "answer": ("BYTES", [-1])}
UNNAMED = {True: [*RANKED], False: ["answer"]}  # by whether labels are ranked
CLASSES = ("probabilities", "logits")  # outputs with a value per label
PARAMETERS = ("timeout", "binary_data_output")
OUTPUT_PARAMETERS = ("binary_data", "classification")
BINARY = "application/octet-stream"
_PLATFORMS = {"torch": "pytorch_torch", "words": "bertline_words"}  # by engine; those of the others are graphs


class RequestedOutput(Tolerant):
    """A requested output."""

    at: ClassVar[str] = "outputs[]."

    name: str = Field(description=f"{', '.join(RANKED | LOGITS | EVERY)}, as the model's metadata lists them.")
    parameters: dict[str, Any] | None = Field(
        None,
        description="binary_data: send it after the JSON. classification: the number of highest probabilities or "
        'logits to return, each as the string "value:index:label".',
    )


class InferRequest(Tolerant):
    """Texts, and the requested outputs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["A quiet film that stays."]}]}
            ]
        },
    )

    id: str | None = Field(None, description="Returned with the response.")
    parameters: dict[str, Any] | None = Field(
        None,
        description="timeout: deadline in microseconds. binary_data_output: default of the outputs' binary_data.",
    )
    inputs: Annotated[list[InputTensor], FailFast()] = Field(description="One.")
    outputs: list[RequestedOutput] | None = Field(
        None, fail_fast=True, description=f"Default: {' and '.join(RANKED)}, or answer."
    )


class ServerMetadata(BaseModel):
    """The server."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Liveness."""

    live: bool


class Ready(Live):
    """Readiness."""

    ready: bool


class ModelNames(BaseModel):
    """The models, the default one first."""

    models: list[str]


class TensorMetadata(BaseModel):
    """An input or output; -1 in a shape is any number."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model's inputs and outputs."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelReady(BaseModel):
    """Readiness of a model."""

    name: str
    ready: bool


class AnsweredTensor(TensorMetadata):
    """An output of a response; without data if that is sent after the JSON."""

    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class InferResponse(BaseModel):
    """The requested outputs, with a row per text in order."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[AnsweredTensor]


async def _sent_as_tensors(request: Request) -> None:
    """Accept JSON, with or without binary data after it; Triton's Python client sends no content type.

    A page of another origin could send that without a preflight request, but its browser adds the header Origin.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", BINARY, "") or (not kind and "origin" in request.headers):
        raise Problem(Code.NOT_JSON, f"Send the body with the header Content-Type: application/json or {BINARY}.")


router = APIRouter(prefix="/v2", tags=["open inference protocol"], route_class=routes_of(KSERVE))
MISSING = KSERVE.answers(Code.UNKNOWN_MODEL, Code.NOT_READY)


@router.get("", summary="Server metadata (OIP)")
async def server() -> ServerMetadata:
    """Name, version, and supported extensions of Triton."""
    return ServerMetadata(name="bertline", version=__version__, extensions=["binary_tensor_data", "classification"])


@router.get("/health/live", summary="Liveness (OIP)")
async def live() -> Live:
    """The process answers."""
    return Live(live=True)


@router.get("/health/ready", summary="Readiness (OIP)", responses=KSERVE.answers(Code.NOT_READY))
async def ready(serving: ServingNow) -> Ready:
    """As ``/health/ready``; with both keys, because clients of the protocol read either."""
    await health.ready(serving)
    return Ready(live=True, ready=True)


@router.get("/models", summary="List models (OIP)")
async def models(serving: ServingNow) -> ModelNames:
    """KServe's extension of the protocol."""
    return ModelNames(models=serving.models.names)


async def _version(request: Request, serving: ServingNow) -> Version:
    """The current version of the model in the path; a version in the path must be that one."""
    name, version = request.path_params["name"], request.path_params.get("version")
    current = serving.models.named(name, None)
    if version not in (None, current.version):
        raise Problem(Code.UNKNOWN_MODEL, f"{name} has only version {current.version} here: use that.")
    return current


VersionNow = Annotated[Version, Depends(_version)]


async def model(version: VersionNow) -> ModelMetadata:
    """Inputs and outputs of the current version; 404 for any other."""
    return ModelMetadata(
        name=version.name,
        versions=[version.version],
        platform=_PLATFORMS.get(version.engine, "onnx_onnxv1"),
        inputs=[TensorMetadata(name="text", datatype="BYTES", shape=[-1])],
        outputs=[
            TensorMetadata(name=name, datatype=kind, shape=shape) for name, (kind, shape) in outputs_of(version).items()
        ],
    )


async def model_ready(version: VersionNow) -> ModelReady:
    """503 while its worker is being replaced; 404 for any version but the current one."""
    check_ready(version)
    return ModelReady(name=version.name, ready=True)


def outputs_of(version: Version) -> dict[str, tuple[str, list[int]]]:
    """The outputs of a model by name, with datatype and shape; ``answer`` is the JSON of ``/v1/predict``."""
    spec = version.spec
    outputs = (RANKED if spec.ranked else {}) | (LOGITS if spec.output == "logits" else {}) | EVERY
    return {name: (kind, [one or len(spec.labels) for one in shape]) for name, (kind, shape) in outputs.items()}


async def infer(request: Request, version: VersionNow, serving: ServingNow, deadline_s: DeadlineNow) -> Response:
    """Labels, calibrated probabilities, logits or embeddings of texts, or the model's answer as JSON.

    The header Inference-Header-Content-Length is the length of the JSON; binary tensors follow it.
    A version in the path must be the current one; else 404.
    """
    text, rest = split(await request.body(), request.headers.get(LENGTH_HEADER))
    payload = parsed(InferRequest, json_value(text))
    parameters = payload.parameters or {}
    note_unknown(parameters, PARAMETERS)
    outputs = _outputs(payload, version)
    texts = texts_of(payload.inputs, rest, serving.settings.max_batch_texts)
    deadline_s = _earlier(deadline_s, parameters.get("timeout"))
    answers: dict[str, Answered] = {}
    for name in dict.fromkeys(_computed(one, version) for one in outputs):
        answers[name] = await serving.compute(version, texts, name, deadline_s=deadline_s, field="inputs[0].data")
    binary = parameters.get("binary_data_output") is True
    head: dict[str, Any] = {"model_name": version.name, "model_version": version.version}
    if payload.id is not None:
        head["id"] = payload.id
    first = next(iter(answers.values()))
    tensors = await made(first, lambda: [_tensor(one, answers[_computed(one, version)], binary) for one in outputs])
    body, length = written(head, tensors)
    headers = answer_headers(first)
    if length is None:
        return Response(body, media_type="application/json", headers=headers)
    return Response(body, media_type=BINARY, headers={**headers, LENGTH_HEADER: str(length)})


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "title": name.title()}}


for at, noun, names in (("", "model", ["name"]), ("/versions/{version}", "version", ["name", "version"])):
    path = converted(f"/models/{{name}}{at}")
    extra = {"parameters": [_in_path(one) for one in names]}
    router.get(path, summary=f"{noun.title()} metadata (OIP)", responses=MISSING, openapi_extra=extra)(model)
    router.get(f"{path}/ready", summary=f"{noun.title()} readiness (OIP)", responses=MISSING, openapi_extra=extra)(
        model_ready
    )
    router.post(
        f"{path}/infer",
        summary=f"Infer with a {noun} (OIP)",
        response_model=InferResponse,
        responses=KSERVE.answers(*MODEL_ERRORS, Code.CONFLICTING_FIELDS),
        dependencies=[Depends(_sent_as_tensors)],
        openapi_extra=extra | body_of({"application/json": InferRequest, BINARY: None}),
    )(infer)


def _computed(output: RequestedOutput, version: Version) -> str:
    """The network's output from which it is computed."""
    return "embedding" if output.name == "embedding" else version.spec.output


def _outputs(payload: InferRequest, version: Version) -> list[RequestedOutput]:
    """The requested outputs, each once: repeated ones could make the response arbitrarily large."""
    known, classes = outputs_of(version), [one for one in CLASSES if one in outputs_of(version)]
    outputs = payload.outputs or [RequestedOutput(name=name) for name in UNNAMED[version.spec.ranked]]
    for place, one in enumerate(outputs):
        field = f"outputs[{place}]"
        if one.name not in known or one.name in (before.name for before in outputs[:place]):
            raise Problem(
                Code.UNSUPPORTED, f"{field}.name must be one of {', '.join(known)}, each once.", f"{field}.name"
            )
        note_unknown(one.parameters, OUTPUT_PARAMETERS, "outputs[].")
        count = (one.parameters or {}).get("classification")
        if count is None:
            continue
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise Problem(
                Code.OUT_OF_RANGE,
                f"{field}.parameters.classification must be a number of labels from 1 to {len(version.labels)}.",
                field,
            )
        if one.name not in classes:
            remedy = f"request those of {' or '.join(classes)}" if classes else "leave classification out"
            raise Problem(Code.UNSUPPORTED, f"{field} has no classes: {remedy}.", field)
    return outputs


def _earlier(deadline_s: float, timeout_us: Any) -> float:
    """The deadline, or that of the request's timeout if it is earlier; 0 is no timeout, as for Triton."""
    if timeout_us is None:
        return deadline_s
    is_number = isinstance(timeout_us, int | float) and not isinstance(timeout_us, bool)
    if not is_number or not 0 <= timeout_us < float("inf"):
        raise Problem(Code.OUT_OF_RANGE, "parameters.timeout must be a number of microseconds.", "parameters.timeout")
    # A huge timeout means the server's own limit; no float can hold all integers.
    if timeout_us == 0 or timeout_us > 1e15:
        return deadline_s
    own_s: float = asyncio.get_running_loop().time() + timeout_us / 1e6
    return min(deadline_s, own_s)


def _tensor(output: RequestedOutput, answered: Answered, binary: bool) -> OutputTensor:
    parameters = output.parameters or {}
    binary = parameters.get("binary_data", binary) is True
    values = _values(output.name, answered)
    count = parameters.get("classification")
    if count is not None:
        values = _highest(values, np.array(answered.version.labels, dtype=np.object_), count)
    return OutputTensor(output.name, values, binary)


def _values(name: str, answered: Answered) -> np.ndarray[Any, Any]:
    match name:
        case "embedding" | "logits":
            return np.stack(answered.rows).astype(np.float32)
        case "probabilities":
            return answered.shares().astype(np.float32)
        case "label":
            return np.array([one.label for one in answered.answers], dtype=np.object_)
    return np.array([to_json(one.to_json()).decode() for one in answered.answers], dtype=np.object_)


def _highest(
    values: Float[np.ndarray[Any, Any], "texts labels"], labels: np.ndarray[Any, Any], count: int
) -> np.ndarray[Any, Any]:
    """The ``count`` highest values of each row, each as "value:index:label"."""
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    rows = [
        [f"{row[place]:f}:{place}:{labels[place]}" for place in places]
        for row, places in zip(values, order, strict=True)
    ]
    return np.array(rows, dtype=np.object_)
