"""A real server in a child process."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

HERE = Path(__file__).parent
# The command; GRACE replaces the seconds that running requests get at the end.
MAIN = """
import os
from harness.cli import main
from harness.serve import server
server.GRACE_SECONDS = int(os.environ.get("GRACE", server.GRACE_SECONDS))
main()
"""


class Server:
    def __init__(self, *arguments, engine="slow_engine:Slow", **environment):
        command = [sys.executable, "-c", MAIN, "serve", "--engine", engine, "--port", "0", *map(str, arguments)]
        env = {name: value for name, value in os.environ.items() if name != "HARNESS_SERVE_KEY"}
        self.process = subprocess.Popen(
            command,
            env={**env, "PYTHONPATH": str(HERE), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.ready = self.process.stdout.readline()
        self.url = self.ready.rpartition(" ")[2].strip()
        self.port = int(self.url.split(":")[2].split("/")[0]) if self.url else None
        self.model = "slow" if engine.startswith("slow_engine") else engine
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30, trust_env=False)

    def speech(self, text="one two three", **fields):
        body = {"model": self.model, "input": text, "response_format": "wav", **fields}
        return self.http.post(
            "/v1/audio/speech", json={name: value for name, value in body.items() if value is not ...}
        )

    def children(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number=signal.SIGTERM):
        """Exit code, and what was left on stdout and stderr."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@contextmanager
def running(*arguments, **options):
    server = Server(*arguments, **options)
    try:
        if not server.url:
            raise AssertionError(server.end())
        yield server
    finally:
        if server.process.poll() is None:
            server.end()


def refused(answer, status, code, param=None, *, within=""):
    """Whether it is an error of OpenAI's shape."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    kind = {401: "authentication_error", 429: "rate_limit_error"}.get(status)
    assert error["type"] == (kind or ("invalid_request_error" if status < 500 else "server_error"))
    assert set(error) == {"message", "type", "param", "code"} and (error["code"], error["param"]) == (code, param)
    assert within in error["message"] and "Traceback" not in answer.text
    return error["message"]
