"""`harness serve`."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    engine: Annotated[str, typer.Option(help="Engine to serve: see `harness doctor`.")] = "espeak",
    option: Annotated[list[str] | None, typer.Option(help="Engine option, KEY=VALUE; may be repeated.")] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any address that other machines can reach requires a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Number of engine processes; each loads the engine.")] = 1,
    max_concurrent: Annotated[int, typer.Option(min=1, help="Number of requests that run at once.")] = 4,
    max_queued: Annotated[
        int, typer.Option(min=0, help="Number of requests that wait; more are refused with 429.")
    ] = 16,
    timeout: Annotated[float, typer.Option(help="Seconds for one request; then it fails with 504.")] = 60.0,
    key_env: Annotated[
        str,
        typer.Option(
            help="Environment variable with the key that clients must send; if it is not set, none is needed."
        ),
    ] = "HARNESS_SERVE_KEY",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Additional host name of this server; may be repeated. Not checked if a key is set."),
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Log requests on standard error, without their text.")] = False,
) -> None:
    """Serve an engine over HTTP, in the wire format of OpenAI's speech API, until Ctrl-C.

    Example: `harness serve --engine espeak --port 8000`, then
    `curl http://127.0.0.1:8000/v1/audio/speech -H "Content-Type: application/json"
    -d '{"model": "espeak", "input": "We <emph> guarantee it", "response_format": "wav"}' -o x.wav`
    """
    from harness.engines.base import ENGINES
    from harness.errors import NotAvailable
    from harness.reading import key_value

    try:
        from harness.serve import serve as run
    except ImportError as error:
        raise NotAvailable(f"`harness serve` needs the package {error.name}",
                           remedy="pip install 'prosody-harness[api]'") from error  # fmt: skip
    types = ENGINES.option_types(engine) if option else {}
    run(
        engine,
        dict(key_value(one, types) for one in option or []),
        host=host,
        port=port,
        workers=workers,
        max_concurrent=max_concurrent,
        max_queued=max_queued,
        timeout=timeout,
        key_env=key_env,
        allow_host=allow_host or (),
        log=log,
    )
