"""Errors in the shape that OpenAI's clients know: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from harness.engines.apart import EngineTimeout
from harness.errors import HarnessError, NotAvailable, TagError

_KINDS = {401: "authentication_error", 429: "rate_limit_error"}
_CODES = {404: "not_found", 405: "method_not_allowed"}


class ApiError(Exception):
    """A request that is refused or failed.

    Parameters
    ----------
    status : int
        Of HTTP.
    message : str
        What was wrong and what to do.
    param : str, optional
        The field of the request that it is about.
    code : str, optional
        For programs.
    headers : mapping, optional
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The answer to the client."""
        kind = _KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return AsciiJSON({"error": error}, self.status, self.headers)


class AsciiJSON(JSONResponse):
    """JSON in ASCII, so that half a surrogate pair from a request does no harm."""

    def render(self, content: object) -> bytes:
        """Write `content` with escapes for everything beyond ASCII."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def from_harness(error: HarnessError, *, param: str, seconds: float) -> ApiError:
    """What an error of the harness is to a client.

    Parameters
    ----------
    error : HarnessError
    param : str
        The field that holds the text.
    seconds : float
        Time limit of a request.
    """
    if isinstance(error, EngineTimeout):
        return timed_out(seconds)
    if isinstance(error, TagError):
        return ApiError(400, str(error), param=param, code="invalid_tag")
    if isinstance(error, NotAvailable):
        return ApiError(503, str(error), code="engine_not_available")
    if error.message.startswith("the engine "):  # `EngineApart` says so of a crash, and of an unexpected exception
        return ApiError(500, str(error), code="engine_failed")
    return ApiError(400, str(error), param=param, code="engine_refused")


def timed_out(seconds: float) -> ApiError:
    """The error of a request that took too long."""
    return ApiError(504, f"no speech within {seconds:g} s (send a shorter text, or start the server with a longer --timeout)",
                    code="timeout")  # fmt: skip


async def on_api_error(_: Request, error: Exception) -> Response:
    """Answer an `ApiError`."""
    assert isinstance(error, ApiError)
    return error.response()


async def on_http_error(_: Request, error: Exception) -> Response:
    """Answer what Starlette raises by itself: no such route, or not with this method."""
    assert isinstance(error, HTTPException)
    message = {
        404: "there is no such route; there are POST /v1/audio/speech, POST /v1/chat/completions, GET /v1/models, "
        "GET /v1/audio/voices and GET /health",
        405: "this route does not take this method",
    }.get(error.status_code, HTTPStatus(error.status_code).phrase)
    code = _CODES.get(error.status_code)
    return ApiError(error.status_code, message, code=code, headers=error.headers).response()


async def on_crash(_: Request, error: Exception) -> Response:
    """Answer anything else. Neither body nor log tells more than where it happened: the text of a request is private."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    print(f"harness serve: internal error: {type(error).__name__}{where}", file=sys.stderr, flush=True)
    return ApiError(500, "internal error", code="internal_error").response()
