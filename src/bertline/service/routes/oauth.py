"""The endpoints of the built-in issuer: tokens, public keys and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from bertline.service.guard.client import Scope
from bertline.service.guard.issuer import GRANT, Issuer
from bertline.service.guard.token_request import FORM, token_request
from bertline.service.problems import STATUS, status_of
from bertline.service.routes.context import UNREAD, dialect
from bertline.serving.problems import Code, Problem

TOKEN_PATH = "/oauth/token"
JWKS_PATH = "/.well-known/jwks.json"
METADATA_PATH = "/.well-known/oauth-authorization-server"
MAX_FORM_BYTES = 16 * 1024
JWKS_MAX_AGE_S = 300  # less than the time between publishing a key and its first use

# Problems with a name in RFC 6749 section 5.2; the others are invalid_request or server_error.
ERRORS: Mapping[Code, tuple[HTTPStatus, str]] = {
    Code.INVALID_CREDENTIALS: (HTTPStatus.UNAUTHORIZED, "invalid_client"),
    Code.INSUFFICIENT_SCOPE: (HTTPStatus.BAD_REQUEST, "invalid_scope"),
    Code.UNSUPPORTED: (HTTPStatus.BAD_REQUEST, "unsupported_grant_type"),
    Code.MISSING_FIELD: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    Code.CONFLICTING_FIELDS: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    Code.WRONG_TYPE: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    Code.RATE_LIMITED: (HTTPStatus.TOO_MANY_REQUESTS, "temporarily_unavailable"),
    Code.NOT_READY: (HTTPStatus.SERVICE_UNAVAILABLE, "temporarily_unavailable"),
}


class TokenResponse(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: str
    token_type: str = Field(description="Bearer")
    expires_in: int = Field(description="Seconds.")
    scope: str = Field(description="Scopes of the token, separated by spaces.")


class OAuthError(BaseModel):
    """RFC 6749 section 5.2."""

    error: str = Field(description="Stable name, for programs.")
    error_description: str = Field(description="One sentence for people.")


class JsonWebKeys(BaseModel):
    """RFC 7517 section 5."""

    keys: list[dict[str, Any]]


class AuthorizationServerMetadata(BaseModel):
    """RFC 8414 section 2."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]


def refusal(problem: Problem) -> Response:
    """A problem as an OAuth error."""
    others = "invalid_request" if status_of(problem) < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    status, error = ERRORS.get(problem.code, (status_of(problem), others))
    body = OAuthError(error=error, error_description=problem.message).model_dump()
    return JSONResponse(body, status, {"Cache-Control": "no-store", "Pragma": "no-cache", **problem.headers})


def _answers(*codes: Code) -> dict[int | str, dict[str, Any]]:
    by_status: dict[int, set[str]] = {}
    for code in codes:
        status, error = ERRORS.get(code, (STATUS[code], "invalid_request"))
        by_status.setdefault(int(status), set()).add(error)
    return {
        status: {"model": OAuthError, "description": ", ".join(sorted(names))} for status, names in by_status.items()
    }


async def _issuer(request: Request) -> Issuer:
    issuer: Issuer | None = getattr(request.app.state, "issuer", None)
    if issuer is None:
        raise Problem(Code.NOT_FOUND, "This server issues no tokens: its built-in issuer is off.")
    return issuer


IssuerNow = Annotated[Issuer, Depends(_issuer)]
router = APIRouter(tags=["oauth"], route_class=dialect(refusal))
FORM_FIELDS = ("grant_type", "scope", "client_id", "client_secret")
FORM_SCHEMA = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {name: {"type": "string"} for name in FORM_FIELDS},
}


@router.post(
    TOKEN_PATH,
    summary="Get a token",
    response_model=TokenResponse,
    responses=_answers(*ERRORS, Code.NOT_FOUND, *UNREAD),
    openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": FORM_SCHEMA}}}},
)
async def token(request: Request, issuer: IssuerNow) -> Response:
    """A token for a client with a secret, by HTTP Basic or in the form (grant type client_credentials)."""
    body = await request.body()
    if len(body) > MAX_FORM_BYTES:
        raise Problem(Code.BODY_TOO_LARGE, f"The body has more than {MAX_FORM_BYTES:,} bytes, the limit: send less.")
    headers = request.headers
    payload = token_request(headers.get("content-type", ""), headers.get("authorization"), body)
    text, scopes = await issuer.token(payload, request.client.host if request.client else "")
    answer = TokenResponse(
        access_token=text,
        token_type="Bearer",
        expires_in=issuer.keys.lifetime_s,
        scope=" ".join(sorted(scopes)),
    )
    return JSONResponse(answer.model_dump(), headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


@router.get(
    JWKS_PATH,
    summary="Public keys of the issuer",
    response_model=JsonWebKeys,
    responses=_answers(Code.NOT_FOUND, Code.NOT_READY),
)
async def jwks(issuer: IssuerNow) -> Response:
    """The public keys that verify tokens of the built-in issuer."""
    return JSONResponse(await issuer.keys.jwks(), headers={"Cache-Control": f"public, max-age={JWKS_MAX_AGE_S}"})


@router.get(METADATA_PATH, summary="Metadata of the issuer", responses=_answers(Code.NOT_FOUND))
async def metadata(issuer: IssuerNow) -> AuthorizationServerMetadata:
    """The endpoints of the built-in issuer, and what they accept."""
    url = issuer.keys.issuer.rstrip("/")
    return AuthorizationServerMetadata(
        issuer=issuer.keys.issuer,
        token_endpoint=url + TOKEN_PATH,
        jwks_uri=url + JWKS_PATH,
        scopes_supported=[one.value for one in Scope],
        response_types_supported=[],  # there is no authorisation endpoint
        grant_types_supported=[GRANT],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
    )
