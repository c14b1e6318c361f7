"""The routes of the speech server."""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Collection
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from harness.audio import Audio
from harness.errors import HarnessError
from harness.serve.bodies import ChatBody, SpeechBody, SpeechJob, check_model, read_body, sentences
from harness.serve.encoding import FORMATS, encode
from harness.serve.errors import on_crash, on_disconnect, on_harness_error, on_http_error
from harness.serve.middleware import AccessControl, RequestLog
from harness.serve.pool import Pool

PIECE = 8192  # bytes sent at once when streaming
WARNINGS = "X-Harness-Warnings"
T = TypeVar("T")


def make_app(pool: Pool, *, key: bytes | None = None, hosts: Collection[str] = (), log: bool = False) -> Starlette:
    """Return the application.

    Parameters
    ----------
    pool : Pool
        Started engines.
    key : bytes, optional
        Key that clients must send as ``Authorization: Bearer``.
    hosts : collection of str
        Names of this server besides those of the loopback interface. Without a key, requests to other names are refused.
    log : bool
        Whether to log each request on standard error, without its text.
    """
    access = Middleware(AccessControl, key=key, hosts=hosts)
    app = Starlette(
        routes=[
            Route("/v1/audio/speech", speech, methods=["POST"]),
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/models/{model:path}", model),
            Route("/v1/audio/voices", voices),
            Route("/health", health),
        ],
        middleware=[Middleware(RequestLog), access] if log else [access],
        exception_handlers={
            HTTPException: on_http_error,
            HarnessError: on_harness_error,
            ClientDisconnect: on_disconnect,
            Exception: on_crash,
        },
    )
    app.router.redirect_slashes = False
    app.state.pool, app.state.started = pool, int(time.time())
    return app


async def speech(request: Request) -> Response:
    """POST /v1/audio/speech: speak a text."""
    pool: Pool = request.app.state.pool
    job = (await read_body(request, SpeechBody)).job(pool)
    if job.stream:
        content = _stream(pool, job)
        first = await _while_connected(request, anext(content))  # an error so far gets its status, not a cut stream
        return StreamingResponse(_chain(first, content), media_type=FORMATS["pcm"].media_type, headers=_headers(job))
    audio = await _while_connected(request, _speak(pool, job))
    return Response(audio, media_type=FORMATS[job.format].media_type, headers=_headers(job))


async def chat(request: Request) -> Response:
    """POST /v1/chat/completions: speak the last user message."""
    pool: Pool = request.app.state.pool
    body = await read_body(request, ChatBody)
    job = body.job(pool)
    content = await _while_connected(request, _speak(pool, job))
    now = int(time.time())
    audio = {
        "id": f"audio_{uuid.uuid4().hex}",
        "data": base64.b64encode(content).decode("ascii"),
        "transcript": job.text.plain,
        "expires_at": now,  # the server keeps no audio
    }
    message = {
        "role": "assistant",
        "content": job.text.plain if "text" in (body.modalities or ()) else None,
        "refusal": None,
        "audio": audio,
    }
    answer = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": now,
        "model": pool.name,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "warnings": list(job.warnings),
    }
    return JSONResponse(answer, headers=_headers(job))


async def models(request: Request) -> Response:
    """GET /v1/models: list the engine."""
    return JSONResponse({"object": "list", "data": [_model(request)]})


async def model(request: Request) -> Response:
    """GET /v1/models/{model}: describe the engine."""
    pool: Pool = request.app.state.pool
    check_model(request.path_params["model"], pool)
    return JSONResponse(_model(request))


async def voices(request: Request) -> Response:
    """GET /v1/audio/voices: list the values of `voice`."""
    pool: Pool = request.app.state.pool
    return JSONResponse({"voices": pool.voices, "default": pool.default_voice})


async def health(request: Request) -> Response:
    """GET /health: report that the server runs, and with which engine."""
    pool: Pool = request.app.state.pool
    return JSONResponse({"status": "ok", "engine": pool.name, "revision": pool.revision, "dialect": pool.dialect})


def _model(request: Request) -> dict[str, Any]:
    state = request.app.state
    return {"id": state.pool.name, "object": "model", "created": state.started, "owned_by": "prosody-harness"}


def _headers(job: SpeechJob) -> dict[str, str]:
    headers = {"X-Sample-Rate": str(job.rate)}
    if job.warnings:
        headers[WARNINGS] = "; ".join(job.warnings)
    return headers


async def _speak(pool: Pool, job: SpeechJob) -> bytes:
    """Speak the whole text."""
    clips: list[Audio] = []
    await pool.speak([job.text], job.voice, job.seed, clips.append)
    return await run_in_threadpool(encode, clips[0], job.format, job.rate)


async def _stream(pool: Pool, job: SpeechJob) -> AsyncIterator[bytes]:
    """Speak sentence by sentence. A slow reader, such as a player, does not slow the engine down and keep others waiting."""
    clips: asyncio.Queue[Audio | Exception | None] = asyncio.Queue()

    async def speak() -> None:
        try:
            await pool.speak(sentences(job.text), job.voice, job.seed, clips.put_nowait)
            clips.put_nowait(None)
        except Exception as error:
            clips.put_nowait(error)

    speaking = asyncio.create_task(speak())
    try:
        while (clip := await clips.get()) is not None:
            if isinstance(clip, Exception):
                raise clip
            content = await run_in_threadpool(encode, clip, job.format, job.rate)
            for start in range(0, len(content), PIECE):
                yield content[start : start + PIECE]
    finally:
        speaking.cancel()  # if the client has left


async def _chain(first: bytes, others: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for content in others:
        yield content


async def _while_connected(request: Request, work: Awaitable[T]) -> T:
    """Return the result of `work`, which is cancelled if the client leaves.

    Raises
    ------
    ClientDisconnect
        If the client has left.
    """

    async def disconnected() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task, left = asyncio.ensure_future(work), asyncio.create_task(disconnected())
    try:
        await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        left.cancel()
