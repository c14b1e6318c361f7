"""One request and its answer as they were sent, to be shown: never with the key, and without the bytes of audio."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.engines.openai_speech.decode import has_many_parts
from harness.engines.secrets import redacted

SHOWN = ("host", "authorization", "content-type", "accept", "content-length", "retry-after", "x-sample-rate",
         "x-harness-warnings", "transfer-encoding")  # fmt: skip
SECRET = "Bearer ***"
NO_KEY = "not-needed"  # what the openai client sends where there is no key: it always sends something
PLACEHOLDER = f"Bearer {NO_KEY}"
_LONG = 60  # characters of base64 that are shown
_BASE64 = re.compile(r"[A-Za-z0-9+/=]{200,}")


@dataclass(frozen=True)
class Exchange:
    """A request and what came back.

    Parameters
    ----------
    method, url : str
    headers : mapping
        Of the request, by lower-case name; the key is replaced when an exchange is made, not when it is shown.
    body : bytes
        Of the request.
    status : int
    answer_headers : mapping
    answer : bytes
    first, last : float
        Seconds from the request to the first and the last byte of the answer's body.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer_headers: Mapping[str, str]
    answer: bytes
    first: float
    last: float

    @classmethod
    def of(cls, request: Any, response: Any, answer: bytes, first: float, last: float) -> Exchange:
        """From a request and a response of the client's HTTP library."""
        headers = {str(name).lower(): str(value) for name, value in request.headers.items()}
        if headers.get("authorization", PLACEHOLDER) != PLACEHOLDER:
            headers["authorization"] = SECRET
        back = {str(name).lower(): str(value) for name, value in response.headers.items()}
        return cls(request.method, str(request.url), headers, bytes(request.content), response.status_code, back, answer,
                   first, last)  # fmt: skip

    def without(self, secret: str) -> Exchange:
        """The same with three stars for a secret, which a server may have repeated anywhere, and in other letters."""
        sent, back = ({name: redacted(value, [secret]) for name, value in headers.items()}
                      for headers in (self.headers, self.answer_headers))  # fmt: skip
        return replace(self, url=redacted(self.url, [secret]), headers=sent, body=_redacted(self.body, secret),
                       answer_headers=back, answer=_redacted(self.answer, secret))  # fmt: skip

    def written(self) -> str:
        """Request and answer as text, headers that matter only; audio is replaced by its length."""
        path = re.sub(r"^https?://[^/]*", "", self.url)
        kind = self.answer_headers.get("content-type", "")
        lines = [f"{self.method} {path} HTTP/1.1", *_headers(self.headers), "", _text(self.body), "", "",
                 f"HTTP/1.1 {self.status}", *_headers(self.answer_headers), ""]  # fmt: skip
        lines.append(
            _text(self.answer) if "json" in kind or "text" in kind else f"({len(self.answer):,} bytes of {kind})"
        )
        return "\n".join(lines)

    def curl(self, key_env: str, out: str) -> str:
        """The same request as a command line; the key stands in an environment variable."""
        key = f'  -H "Authorization: Bearer ${key_env}" \\\n' if self.headers.get("authorization") == SECRET else ""
        body = json.dumps(json.loads(self.body), ensure_ascii=False).replace("'", "'\\''")
        return f"curl {self.url} \\\n{key}  -H 'Content-Type: application/json' \\\n  -d '{body}' -o {out}"


def _redacted(body: bytes, secret: str) -> bytes:
    """A body without the secret. JSON may write any letter as an escape, and is read when it is shown."""
    clean = redacted(body.decode("latin-1"), [secret]).encode("latin-1")
    if has_many_parts(clean):
        return clean
    try:
        read = json.dumps(json.loads(clean), ensure_ascii=False)
    except (ValueError, RecursionError):
        return clean
    return clean if (shown := redacted(read, [secret])) == read else shown.encode("utf-8", "replace")


def _headers(headers: Mapping[str, str]) -> list[str]:
    return [f"{name.title()}: {headers[name]}" for name in SHOWN if name in headers]


def _text(body: bytes) -> str:
    """JSON with line breaks and without long base64, or the text as it is."""
    try:
        if has_many_parts(body):
            raise ValueError
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
    return _BASE64.sub(lambda found: f"{found.group()[:_LONG]}… ({len(found.group()):,} characters of base64)", text)
