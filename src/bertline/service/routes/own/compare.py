"""``/v1/compare``: two of the loaded versions on the same text or table."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.responses import StreamingResponse

from bertline.lifecycle.comparison.compared import ComparedTable
from bertline.service.comparing import MOST_ROWS, TABLE_TIMEOUT_S, Both, Comparing, GivenRows
from bertline.service.problems import OWN, UNCACHED
from bertline.service.routes.context import MODEL_ERRORS, AsJson, DeadlineNow, ServingNow, SettingsNow
from bertline.service.routes.json_body import JsonRoute
from bertline.service.routes.own.explain import SIDES, input_of
from bertline.serving.models import Role
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.serving.texts import check_texts
from bertline.serving.version import Version

router = APIRouter(tags=["compare"], route_class=JsonRoute)
LINES = "application/x-ndjson"
ERRORS = (*MODEL_ERRORS, Code.UNKNOWN_FIELD, Code.CONFLICTING_FIELDS)
Cell = str | int | float | bool | list[Any] | dict[str, Any] | None


class Side(BaseModel):
    """One of the two."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = Field(None, description="Name of the model; required only if several are served.")
    version: str | None = Field(None, description="One of those that are loaded; by default the current one.")


class TwoSides(BaseModel):
    """A and B. B is what may replace A."""

    model_config = ConfigDict(extra="forbid", strict=True)

    first: Side = Field(description="A.")
    second: Side = Field(description="B.")


class CompareRequest(TwoSides):
    """One text or pair."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"first": {"model": "old"}, "second": {"model": "new"}, "text": "A quiet film."}]
        }
    )

    text: str = Field(description="The text.")
    text_pair: str | None = Field(None, description="The second text, for a model that reads pairs.")


class CompareTableRequest(TwoSides):
    """Rows with a text and, if there are some, labels and columns to slice by."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "first": {"model": "old"},
                    "second": {"model": "new"},
                    "rows": [{"text": "A quiet film.", "label": "positive"}, {"text": "Loud.", "label": "negative"}],
                }
            ]
        }
    )

    rows: Annotated[list[dict[str, Cell]], Field(fail_fast=True)] = Field(
        description=f"At most {MOST_ROWS:,}, each with its values by column."
    )
    labelled: bool | None = Field(None, description="Whether rows have labels; by default if a column looks like it.")
    text_column: str | None = Field(None, description="Found by its usual names by default, as in all tables.")
    text_pair_column: str | None = Field(None, description="Of the second text.")
    query_column: str | None = Field(None, description="Of the query, for rankers.")
    label_column: str | None = Field(None, description="Of the label or number.")
    label_columns: list[str] = Field([], description="Of 0 and 1, one per label.")
    label_separator: str | None = Field(None, min_length=1, description="Between several labels.")
    entities_column: str | None = Field(None, description="Of the entities.")
    score_column: str | None = Field(None, description="Of the score, for rankers.")
    slice_columns: list[str] = Field([], max_length=8, description="Whose values break the figures down.")
    skip_bad_rows: bool = Field(False, description="Count unusable rows instead of refusing the table.")

    def settings(self) -> GivenRows:
        """How the rows are read."""
        named = self.model_dump(exclude={"first", "second", "rows"})
        named |= {name: tuple(named[name]) for name in ("label_columns", "slice_columns")}
        return GivenRows(given=tuple(self.rows), **named)


class LoadedVersion(BaseModel):
    """A version that can be compared."""

    model: str
    version: str
    role: Role = Field(description="current, challenger of a rollout, or previous.")
    engine: str
    digest: str = Field(description="SHA-256 of the bundle, by which a gate's verdict names it.")
    ready: bool


class LoadedVersions(BaseModel):
    """Versions that are loaded."""

    versions: list[LoadedVersion]
    most_rows: int = Field(description="Of a table.")


class SideAnswer(BaseModel):
    """The answer of one version."""

    model: str
    version: str
    engine: str
    prediction: dict[str, Any] = Field(description="As POST /v1/predict has it.")
    took_ms: float = Field(description="Median of five times, both in turn: tokenising and inference.")


class CompareResponse(BaseModel):
    """The answers of both to one text."""

    first: SideAnswer
    second: SideAnswer
    agree: bool | None = Field(description="Whether they agree; null where that needs several texts.")
    shift: float = Field(description="Difference of the scores, from 0 to 1.")


class CompareTableResponse(BaseModel):
    """Two versions on one table; differences are those of B against A."""

    first: LoadedVersion
    second: LoadedVersion
    rows: int
    skipped: dict[str, int] = Field(description="Unusable rows, by reason.")
    agreement: dict[str, float] = Field(description="Share of rows with the same answer, with its 95 % interval.")
    changes: list[dict[str, Any]] = Field(description="The most frequent pairs of different labels.")
    answers: dict[str, list[Any]] = Field(
        description="Of each row: line, first, second, agree, shift, first_right and second_right."
    )
    labelled: dict[str, Any] | None = Field(
        description="With labels: figures of both, the paired test, confusion, reliability, slices, and the checks of "
        "the gate that these rows allow."
    )
    seen: dict[Literal["first", "second"], int | None] = Field(
        description="Rows whose text each model has learned from; null where its bundle does not say."
    )
    latency: dict[str, Any] | None = Field(description="Median and p99 of single texts, both in turn.")


async def _comparing(request: Request) -> Comparing:
    comparing: Comparing = request.app.state.comparing
    return comparing


ComparingNow = Annotated[Comparing, Depends(_comparing)]


@router.get("/v1/compare", summary="List the versions to compare", responses=OWN.answers(Code.NOT_READY))
async def versions(serving: ServingNow) -> LoadedVersions:
    """Every version that is loaded: the current one of each model, the previous one, and challengers of rollouts."""
    found = [_described(role, one) for name in serving.models.names for role, one in serving.models.loaded(name)]
    return LoadedVersions(versions=found, most_rows=MOST_ROWS)


@router.post(
    "/v1/compare",
    summary="Compare on a text",
    response_model=CompareResponse,
    responses=OWN.answers(*ERRORS),
    dependencies=[AsJson],
)
async def text(
    payload: CompareRequest,
    serving: ServingNow,
    settings: SettingsNow,
    comparing: ComparingNow,
    deadline_s: DeadlineNow,
) -> Response:
    """Both answers to one text, and the time that each takes.

    It takes six answers of each, which count as tokens in the limits, and waits behind all predictions.
    """
    both = _both(serving, payload)
    one = input_of(both[0], payload.text, payload.text_pair)
    check_texts([one], settings, "text", sides=SIDES)
    found = await comparing.text(both, one, deadline_s)
    each = zip(("first", "second"), both, found.answers, found.took_ms, strict=True)
    sides = {
        side: {
            "model": version.name,
            "version": version.version,
            "engine": version.engine,
            "prediction": answer.to_json(),
            "took_ms": took_ms,
        }
        for side, version, answer, took_ms in each
    }
    body = {**sides, "agree": found.row.agree, "shift": found.row.shift}
    return Response(to_json(body), media_type="application/json", headers=UNCACHED)


@router.post(
    "/v1/compare/table",
    summary="Compare on a table",
    response_model=CompareTableResponse,
    responses={
        **OWN.answers(*ERRORS),
        200: {"content": {LINES: {"schema": {"type": "string", "description": "Lines of JSON."}}}},
    },
    dependencies=[AsJson],
)
async def table(
    payload: CompareTableRequest, request: Request, serving: ServingNow, comparing: ComparingNow
) -> Response:
    """Both on up to 10,000 rows: where they differ; with labels, which is better.

    The rows wait behind all predictions and count as tokens in the limits; a table may take ten minutes, or
    X-Request-Timeout-Ms. With Accept: application/x-ndjson the response is a line of JSON with done and of after each
    few rows, and a last one with result or error.
    """
    both = _both(serving, payload)
    rows = comparing.rows(both, payload.settings())
    header = request.headers.get("x-request-timeout-ms", str(1000 * TABLE_TIMEOUT_S))
    found = comparing.table(both, rows, serving.deadline_s(header))
    roles = [_described(_role(serving, one), one).model_dump() for one in both]
    head = {"first": roles[0], "second": roles[1]}
    first = await anext(found)  # a refusal before the first line has its status
    if LINES in request.headers.get("accept", ""):
        return StreamingResponse(_lines(first, found, head), media_type=LINES, headers=UNCACHED)
    async for one in found:
        if isinstance(one, ComparedTable):
            return Response(to_json({**head, **one.to_json()}), media_type="application/json", headers=UNCACHED)
        if await request.is_disconnected():
            await found.aclose()
            break
    return Response(status_code=499)


async def _lines(first: Any, found: AsyncGenerator[Any, None], head: dict[str, Any]) -> AsyncIterator[bytes]:
    try:
        yield _line({"done": first.done, "of": first.of})
        async for one in found:
            if isinstance(one, ComparedTable):
                yield _line({"result": {**head, **one.to_json()}})
            else:
                yield _line({"done": one.done, "of": one.of})
    except Problem as problem:
        yield _line(OWN.body(problem).model_dump(mode="json"))
    finally:
        await found.aclose()


def _line(value: Any) -> bytes:
    return to_json(value) + b"\n"


def _both(serving: Serving, payload: TwoSides) -> Both:
    return _version(serving, payload.first, "first"), _version(serving, payload.second, "second")


def _version(serving: Serving, side: Side, field: str) -> Version:
    current = serving.models.current(side.model, f"{field}.model")
    if side.version is None:
        return current
    loaded = [one for _, one in serving.models.loaded(current.name)]
    for one in loaded:
        if one.version == side.version:
            return one
    known = ", ".join(one.version for one in loaded)
    message = f"{current.name} has no such version loaded: it has {known}."
    raise Problem(Code.UNKNOWN_MODEL, message, f"{field}.version")


def _role(serving: Serving, version: Version) -> Role:
    return next((role for role, one in serving.models.loaded(version.name) if one is version), "previous")


def _described(role: Role, version: Version) -> LoadedVersion:
    return LoadedVersion(
        model=version.name,
        version=version.version,
        role=role,
        engine=version.engine,
        digest=version.checksum,
        ready=version.ready,
    )
