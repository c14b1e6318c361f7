"""The routes of the speech server."""

from __future__ import annotations

import asyncio
import base64
import hmac
import sys
import time
import uuid
from collections.abc import AsyncIterator, Collection, Coroutine
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.audio import Audio
from harness.errors import HarnessError
from harness.serve.connections import in_chunks
from harness.serve.encoding import FORMATS, encode
from harness.serve.errors import ApiError, AsciiJSON, from_harness, on_api_error, on_crash, on_http_error
from harness.serve.hosts import stranger
from harness.serve.orders import ChatBody, Order, SpeechBody, order_chat, order_speech, read_body, sentences
from harness.serve.pool import Pool

PIECE = 4096  # samples sent at once when streaming
WARNINGS = "X-Harness-Warnings"
OPEN = ("/health",)  # needs no key
T = TypeVar("T")


def make_app(pool: Pool, *, key: bytes | None = None, hosts: Collection[str] = (), log: bool = False) -> Starlette:
    """The application.

    Parameters
    ----------
    pool : Pool
        Started.
    key : bytes, optional
        What clients must send as ``Authorization: Bearer``.
    hosts : collection of str
        Names of this server beside those of this machine. Without a key, requests that name another are refused.
    log : bool
        Whether each request is a line on standard error: method, route, status, milliseconds. Never its text.
    """
    app = Starlette(
        routes=[
            Route("/v1/audio/speech", speech, methods=["POST"]),
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/models/{model:path}", model),
            Route("/v1/audio/voices", voices),
            Route("/health", health),
        ],
        middleware=[Middleware(_Gate, key=key, hosts=frozenset(map(str.lower, hosts)), log=log)],
        exception_handlers={
            ApiError: on_api_error,
            ClientDisconnect: _on_gone,
            HTTPException: on_http_error,
            Exception: on_crash,
        },
    )
    app.router.redirect_slashes = False
    app.state.pool, app.state.started = pool, int(time.time())
    return app


async def speech(request: Request) -> Response:
    """POST /v1/audio/speech: speak a text."""
    pool: Pool = request.app.state.pool
    order = order_speech(await read_body(request, SpeechBody), pool)
    if order.stream:
        return await _stream(request, pool, order)
    content, rate = await _until_gone(request, _speak(pool, order))
    return Response(content, media_type=FORMATS[order.format].media_type, headers=_headers(order, rate))


async def chat(request: Request) -> Response:
    """POST /v1/chat/completions: speak the last user message."""
    pool: Pool = request.app.state.pool
    body = await read_body(request, ChatBody)
    order = order_chat(body, pool)
    content, rate = await _until_gone(request, _speak(pool, order))
    now = int(time.time())
    audio = {
        "id": f"audio_{uuid.uuid4().hex}",
        "data": base64.b64encode(content).decode("ascii"),
        "transcript": order.text.plain,
        "expires_at": now,  # nothing is kept
    }
    message = {
        "role": "assistant",
        "content": order.text.plain if "text" in (body.modalities or ()) else None,
        "refusal": None,
        "audio": audio,
    }
    answer = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": now,
        "model": pool.name,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "warnings": list(order.warnings),
    }
    return AsciiJSON(answer, headers=_headers(order, rate))


async def models(request: Request) -> Response:
    """GET /v1/models: the engine."""
    return AsciiJSON({"object": "list", "data": [_model(request)]})


async def model(request: Request) -> Response:
    """GET /v1/models/{model}."""
    pool: Pool = request.app.state.pool
    if request.path_params["model"] not in (pool.name, pool.asked_name):
        raise ApiError(404, f"there is no such model here, only {pool.name}", param="model", code="model_not_found")
    return AsciiJSON(_model(request))


async def voices(request: Request) -> Response:
    """GET /v1/audio/voices: names that `voice` can have."""
    pool: Pool = request.app.state.pool
    return AsciiJSON({"voices": pool.voices, "default": pool.default_voice})


async def health(request: Request) -> Response:
    """GET /health."""
    pool: Pool = request.app.state.pool
    return AsciiJSON({"status": "ok", "engine": pool.name, "revision": pool.revision, "dialect": pool.dialect})


def _model(request: Request) -> dict[str, Any]:
    state = request.app.state
    return {"id": state.pool.name, "object": "model", "created": state.started, "owned_by": "prosody-harness"}


def _headers(order: Order, rate: int) -> dict[str, str]:
    headers = {"X-Sample-Rate": str(rate)}
    if order.warnings:
        headers[WARNINGS] = "; ".join(order.warnings)
    return headers


async def _speak(pool: Pool, order: Order) -> tuple[bytes, int]:
    """The whole text as bytes, and their rate."""
    clips: list[Audio] = []
    await pool.speak([order.text], order.voice, order.seed, clips.append, param=order.param)
    return await _encode(clips[0], order, pool)


async def _encode(clip: Audio, order: Order, pool: Pool) -> tuple[bytes, int]:
    try:
        return await anyio.to_thread.run_sync(partial(encode, clip, order.format, order.sample_rate))
    except HarnessError as error:
        raise from_harness(error, param=order.param, seconds=pool.timeout) from None


async def _stream(request: Request, pool: Pool, order: Order) -> Response:
    """Sentence by sentence: what fails before the first is there becomes an error, what fails later cuts the answer off.

    Speaking does not wait for a slow reader, who would keep others from their place.
    """
    clips: asyncio.Queue[Audio | None] = asyncio.Queue()
    work = pool.speak(sentences(order.text), order.voice, order.seed, clips.put_nowait, param=order.param)
    speaking = asyncio.create_task(work)

    def finish(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # asyncio prints the traceback of an error that nobody has looked at
        clips.put_nowait(None)

    speaking.add_done_callback(finish)

    async def piece(clip: Audio | None) -> tuple[bytes, int] | None:
        if clip is None:
            speaking.result()  # raises what went wrong
            return None
        return await _encode(clip, order, pool)

    async def pieces(content: bytes) -> AsyncIterator[bytes]:
        following: tuple[bytes, int] | None = (content, 0)
        while following is not None:
            for start in range(0, len(following[0]), 2 * PIECE):
                yield following[0][start : start + 2 * PIECE]
            following = await piece(await clips.get())

    try:
        first = await piece(await _until_gone(request, clips.get()))
        assert first is not None
    except BaseException:
        speaking.cancel()
        raise
    return _Spoken(speaking, pieces(first[0]), media_type=FORMATS["pcm"].media_type, headers=_headers(order, first[1]))


class _Spoken(StreamingResponse):
    """An answer whose speaking ends when the answer does, also where the client has left before it began."""

    def __init__(self, speaking: asyncio.Task[None], content: AsyncIterator[bytes], **more: Any) -> None:
        super().__init__(content, **more)
        self._speaking = speaking

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._speaking.cancel()


async def _until_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Result of `work`, which is given up when the client leaves.

    Raises
    ------
    ClientDisconnect
        If it has left.
    """

    async def leave() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task, gone = asyncio.create_task(work), asyncio.create_task(leave())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _on_gone(_: Request, __: Exception) -> Response:
    return ApiError(400, "the client has left").response()  # nobody reads it


class _Gate:
    """Asks for the length of a body, and for the key, or where there is none for the right name; and keeps the log."""

    def __init__(self, app: ASGIApp, key: bytes | None, hosts: Collection[str], log: bool) -> None:
        self.app, self.key, self.hosts, self.log = app, key, hosts, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, status = time.monotonic(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            if in_chunks(scope["headers"]):
                said = "the body comes in chunks: send it whole, with its Content-Length"
                await ApiError(411, said, headers={"Connection": "close"}).response()(scope, receive, watch)
            elif self.key is not None and scope["path"] not in OPEN and not self._knows_key(scope):
                refusal = ApiError(401, "a key is needed: send the server's key as Authorization: Bearer",
                                   code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})  # fmt: skip
                await refusal.response()(scope, receive, watch)
            elif self.key is None and (wrong := stranger(scope["headers"], self.hosts)):
                await ApiError(403, wrong, code="wrong_host").response()(scope, receive, watch)
            else:
                await self.app(scope, receive, watch)
        finally:
            if self.log:
                endpoint = scope.get("endpoint")
                route = getattr(endpoint, "__name__", "-")  # a path may hold anything
                elapsed = 1000 * (time.monotonic() - start)
                print(f"{scope['method'][:8]} {route} {status} {elapsed:.0f} ms", file=sys.stderr, flush=True)

    def _knows_key(self, scope: Scope) -> bool:
        assert self.key is not None
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, key = (sent[0] if len(sent) == 1 else b"").partition(b" ")
        return hmac.compare_digest(key.strip(), self.key) and scheme.lower() == b"bearer"
