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
from bertline.service.problems import STATUS, UNCACHED, Dialect
from bertline.service.routes.context import UNREAD, routes_of
from bertline.serving.problems import Code, Problem

TOKEN_PATH = "/oauth/token"
JWKS_PATH = "/.well-known/jwks.json"
METADATA_PATH = "/.well-known/oauth-authorization-server"
MAX_FORM_BYTES = 16 * 1024
JWKS_MAX_AGE_S = 300  # less than the time between publishing a key and its first use

# RFC 6749 section 5.2: the error's name of each problem, and the statuses that differ.
NAMES: Mapping[Code, str] = {
    code: "invalid_request" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    for code, status in STATUS.items()
} | {
    Code.INVALID_CREDENTIALS: "invalid_client",
    Code.INSUFFICIENT_SCOPE: "invalid_scope",
    Code.UNSUPPORTED: "unsupported_grant_type",
    Code.RATE_LIMITED: "temporarily_unavailable",
    Code.NOT_READY: "temporarily_unavailable",
}
FORM_ERRORS = (
    Code.INSUFFICIENT_SCOPE, Code.UNSUPPORTED, Code.MISSING_FIELD, Code.CONFLICTING_FIELDS, Code.WRONG_TYPE,
)  # fmt: skip
TOKEN_ERRORS = (*FORM_ERRORS, Code.INVALID_CREDENTIALS, Code.RATE_LIMITED, Code.NOT_READY, Code.NOT_FOUND)


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


OAUTH = Dialect(
    OAuthError,
    lambda problem: OAuthError(error=NAMES[problem.code], error_description=problem.message),
    names=NAMES,
    statuses=dict.fromkeys(FORM_ERRORS, HTTPStatus.BAD_REQUEST),
    headers={**UNCACHED, "Pragma": "no-cache"},
)


async def _issuer(request: Request) -> Issuer:
    issuer: Issuer | None = getattr(request.app.state, "issuer", None)
    if issuer is None:
        raise Problem(Code.NOT_FOUND, "This server issues no tokens: its built-in issuer is off.")
    return issuer


IssuerNow = Annotated[Issuer, Depends(_issuer)]
router = APIRouter(tags=["oauth"], route_class=routes_of(OAUTH))
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
    responses=OAUTH.answers(*TOKEN_ERRORS, *UNREAD),
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
    responses=OAUTH.answers(Code.NOT_FOUND, Code.NOT_READY),
)
async def jwks(issuer: IssuerNow) -> Response:
    """The public keys that verify tokens of the built-in issuer."""
    return JSONResponse(await issuer.keys.jwks(), headers={"Cache-Control": f"public, max-age={JWKS_MAX_AGE_S}"})


@router.get(METADATA_PATH, summary="Metadata of the issuer", responses=OAUTH.answers(Code.NOT_FOUND))
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
