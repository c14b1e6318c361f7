"""Errors in the shape that OpenAI's clients expect: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from harness.errors import HarnessError, NotAvailable, TagError

_TYPES = {401: "authentication_error", 429: "rate_limit_error"}
_TEXTS = {"/v1/audio/speech": "input", "/v1/chat/completions": "messages"}  # the field that holds the text
_CODES = {404: "not_found", 405: "method_not_allowed"}
_MESSAGES = {
    404: "no such route; the routes are POST /v1/audio/speech, POST /v1/chat/completions, GET /v1/models, "
    "GET /v1/audio/voices and GET /health",
    405: "this route does not support this method",
}


class ApiError(HTTPException):
    """A request that was refused or failed.

    Parameters
    ----------
    status : int
        HTTP status.
    message : str
        What is wrong, and what to do.
    param : str, optional
        Request field that caused the error.
    code : str, optional
        Error code for programs.
    headers : mapping, optional
        Additional response headers.
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
        super().__init__(status, message, headers)
        self.param, self.code = param, code

    def response(self) -> Response:
        """Return the response for the client."""
        type_ = _TYPES.get(self.status_code, "invalid_request_error" if self.status_code < 500 else "server_error")
        error = {"message": self.detail, "type": type_, "param": self.param, "code": self.code}
        return JSONResponse({"error": error}, self.status_code, self.headers)


async def on_http_error(_: Request, error: Exception) -> Response:
    """Answer an `ApiError`, or an error that Starlette raises itself, such as an unknown route."""
    assert isinstance(error, HTTPException)
    if not isinstance(error, ApiError):
        status = error.status_code
        message = _MESSAGES.get(status, HTTPStatus(status).phrase)
        error = ApiError(status, message, code=_CODES.get(status), headers=error.headers)
    return error.response()


async def on_harness_error(request: Request, error: Exception) -> Response:
    """Answer an error of the harness: a text that does not parse, or a failure of the engine or the encoder."""
    assert isinstance(error, HarnessError)
    param = _TEXTS.get(request.url.path)
    if isinstance(error, TagError):
        return ApiError(400, str(error), param=param, code="invalid_tag").response()
    if isinstance(error, NotAvailable):
        return ApiError(503, str(error), code="engine_not_available").response()
    if error.message.startswith("the engine "):  # how `EngineApart` reports a crash or an unexpected exception
        return ApiError(500, str(error), code="engine_failed").response()
    return ApiError(400, str(error), param=param, code="engine_refused").response()


async def on_disconnect(_: Request, __: Exception) -> Response:
    """Answer a client that has left. It never arrives; only the log shows the status, as nginx writes it."""
    return Response(status_code=499)


async def on_crash(_: Request, error: Exception) -> Response:
    """Answer any other exception. Response and log say only where it happened, because the text of a request is private."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    print(f"harness serve: internal error: {type(error).__name__}{where}", file=sys.stderr, flush=True)
    return ApiError(500, "internal error", code="internal_error").response()
