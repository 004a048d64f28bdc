"""Tensors of the Open Inference Protocol: reads texts from request bodies, and writes arrays to response bodies.

A body is JSON. If the header Inference-Header-Content-Length has the length of the JSON, binary data of the tensors
follows it. An element of datatype BYTES consists of its length, four bytes little-endian, and its bytes.
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md

Lengths and sizes come from the client, so they are compared with the received bytes first. Lists are validated up to
their first error (``FailFast``), because collecting two million errors takes sixteen seconds and 2.6 GiB.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import FailFast, Field
from pydantic_core import to_json

from bertline.service.routes.fields import Tolerant
from bertline.service.routes.notes import note_ignored
from bertline.serving.problems import Code, Problem

LENGTH_HEADER = "Inference-Header-Content-Length"
MOST_DIMENSIONS = 8  # of a shape, and of lists in lists
INPUT_PARAMETERS = ("binary_data_size",)
_DIGITS = 12  # of a length; longer ones exceed any body


class InputTensor(Tolerant):
    """Texts: BYTES, in ``data`` or, with ``parameters.binary_data_size``, after the JSON."""

    at: ClassVar[str] = "inputs[]."

    name: str = Field(description="Any: a model has one input.")
    shape: Annotated[list[int], FailFast()] = Field([], description="Number of texts; [] and -1 stand for any.")
    datatype: str = Field(description="BYTES")
    parameters: dict[str, Any] | None = Field(None, description="binary_data_size: bytes of it after the JSON.")
    data: list[Any] | None = Field(None, description="The texts; nested lists are flattened.")


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One output of a response: strings (BYTES) or numbers (FP32)."""

    name: str
    values: np.ndarray[Any, Any]  # of any shape; ``np.object_`` for strings
    binary: bool = False  # send it after the JSON

    @property
    def datatype(self) -> Literal["BYTES", "FP32"]:
        """The protocol's name of the type."""
        return "BYTES" if self.values.dtype == np.object_ else "FP32"

    def raw(self) -> bytes:
        """The elements as binary data, row by row."""
        if self.datatype == "FP32":
            return self.values.astype("<f4").tobytes()
        elements = [str(one).encode() for one in self.values.flat]
        return b"".join(struct.pack("<I", len(one)) + one for one in elements)


def note_unknown(parameters: dict[str, Any] | None, known: tuple[str, ...], at: str = "") -> None:
    """Note the parameters without effect; the protocol allows any. ``at`` is their place in the body."""
    note_ignored((one for one in parameters or {} if one not in known), known, f"{at}parameters.")


def split(body: bytes, announced: str | None) -> tuple[bytes, bytes]:
    """The JSON of a body, and the binary data after it.

    Args:
        body: of a request.
        announced: the header Inference-Header-Content-Length; without it the whole body is JSON.

    Raises:
        Problem: the header is not a number, or larger than the body.
    """
    if announced is None:
        return body, b""
    if not announced.isdecimal() or len(announced) > _DIGITS:
        raise Problem(Code.INVALID_HEADER, f"{LENGTH_HEADER} must be the number of bytes of the JSON.", LENGTH_HEADER)
    length = int(announced)
    if length > len(body):
        raise Problem(
            Code.INVALID_HEADER,
            f"{LENGTH_HEADER} announces {length:,} bytes of JSON and the body has {len(body):,}: send all of it.",
            LENGTH_HEADER,
        )
    return body[:length], body[length:]


def texts_of(inputs: Sequence[InputTensor], rest: bytes, most: int) -> list[str]:
    """The texts of a request.

    Args:
        inputs: one of datatype BYTES.
        rest: binary data after the JSON; all of it belongs to the input.
        most: texts allowed.

    Raises:
        Problem: several inputs, another datatype, or sizes that contradict each other.
    """
    if len(inputs) != 1:
        raise Problem(Code.UNSUPPORTED, f"inputs has {len(inputs):,} tensors: send all texts in one.", "inputs")
    tensor, field = inputs[0], "inputs[0]"
    if tensor.datatype != "BYTES":
        raise Problem(Code.WRONG_TYPE, f"{field}.datatype must be BYTES: a model reads texts.", f"{field}.datatype")
    note_unknown(tensor.parameters, INPUT_PARAMETERS, "inputs[].")
    size = (tensor.parameters or {}).get("binary_data_size")
    if (tensor.data is None) == (size is None):
        raise Problem(
            Code.CONFLICTING_FIELDS if size is not None else Code.MISSING_FIELD,
            f"{field} needs its texts in data, or their size in parameters.binary_data_size: send one of both.",
            f"{field}.data",
        )
    _check_size(size, rest, f"{field}.parameters.binary_data_size")
    texts: list[str] = []
    for text in _elements(rest) if tensor.data is None else _strings(tensor.data, f"{field}.data"):
        texts.append(text)
        if len(texts) > most:  # checked here, so that a million texts are not read first
            raise Problem(
                Code.TOO_MANY_TEXTS, f"{field} has more than {most:,} texts, the limit: send several requests.", field
            )
    _check_shape(tensor.shape, len(texts), f"{field}.shape")
    return texts


def _check_size(size: Any, rest: bytes, field: str) -> None:
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise Problem(Code.WRONG_TYPE, f"{field} must be a number of bytes.", field)
    announced = size or 0
    if announced != len(rest):
        shown = f"{announced:,}" if announced < 10**_DIGITS else "more"
        raise Problem(
            Code.OUT_OF_RANGE,
            f"{field} announces {shown} bytes and {len(rest):,} came after the JSON: see {LENGTH_HEADER}.",
            field,
        )


def _check_shape(shape: list[int], texts: int, field: str) -> None:
    if len(shape) > MOST_DIMENSIONS:
        raise Problem(Code.OUT_OF_RANGE, f"{field} has more than {MOST_DIMENSIONS} dimensions: send [{texts}].", field)
    if shape and -1 not in shape and prod(shape) != texts:
        raise Problem(Code.OUT_OF_RANGE, f"{field} is not that of {texts:,} texts: send [{texts}].", field)


def _elements(raw: bytes) -> Iterator[str]:
    place, number = 0, 0
    while place < len(raw):
        field = f"inputs[0][{number}]"
        start = place + 4
        length = int.from_bytes(raw[place:start], "little")
        place = start + length
        if start > len(raw) or place > len(raw):
            raise Problem(
                Code.INVALID_TEXT,
                f"{field} goes beyond the end of the data: send its length in four bytes, little-endian, then itself.",
                field,
            )
        try:
            yield raw[start:place].decode()
        except UnicodeDecodeError as error:
            raise Problem(
                Code.INVALID_TEXT, f"{field} is not UTF-8 at byte {error.start:,}: send UTF-8.", field
            ) from None
        number += 1


def _strings(data: list[Any], field: str, depth: int = 1) -> Iterator[str]:
    if depth > MOST_DIMENSIONS:
        raise Problem(Code.WRONG_TYPE, f"{field} has lists in lists: send the texts in one.", field)
    for one in data:
        if isinstance(one, list):
            yield from _strings(one, field, depth + 1)
        elif isinstance(one, str):
            yield one
        else:
            raise Problem(Code.WRONG_TYPE, f"{field} must contain only strings.", field)


def written(head: dict[str, Any], outputs: Sequence[OutputTensor]) -> tuple[bytes, int | None]:
    """The body of an answer.

    Args:
        head: its keys besides ``outputs``.
        outputs: in their order.

    Returns:
        The body, and the length of its JSON if binary data follows.
    """
    described, binary = [], b""
    for one in outputs:
        entry: dict[str, Any] = {"name": one.name, "datatype": one.datatype, "shape": list(one.values.shape)}
        if one.binary:
            raw = one.raw()
            binary += raw
            entry["parameters"] = {"binary_data_size": len(raw)}
        else:
            entry["data"] = one.values.ravel().tolist()
        described.append(entry)
    text = to_json({**head, "outputs": described})
    return (text + binary, len(text)) if any(one.binary for one in outputs) else (text, None)
