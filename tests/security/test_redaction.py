"""A key that a server repeats is shown nowhere, however it is written."""

import base64
import json
from urllib.parse import quote

import pytest

from harness.engines.openai_speech.exchange import Exchange
from harness.engines.secrets import redacted, without_secrets

KEY = "not/a+key~of.anyone:0123456789"
WAYS = {
    "as it is": KEY,
    "upper case": KEY.upper(),
    "percent": quote(KEY, safe=""),
    "percent, lower": quote(KEY, safe="").lower(),
    "hex": KEY.encode().hex(),
    "cut": KEY[:-5],
    "slashes": KEY.replace("/", "\\/"),
    **{f"base64 at {n}": base64.b64encode(b"xyz"[:n] + KEY.encode()).decode() for n in range(3)},
    "base64 of the header": base64.b64encode(f"Bearer {KEY} and more".encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(KEY.encode()).decode(),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_write_a_key_is_redacted(way):
    shown = redacted(f"before {WAYS[way]} after", [KEY])
    assert shown.startswith("before ") and shown.endswith(" after") and "***" in shown
    assert KEY[:-5] not in shown and len(shown) < len("before ***  after") + 30  # the neighbours in base64 stay
    assert shown == without_secrets(f"before {WAYS[way]} after", {"A_KEY": KEY})


def exchange(answer, **headers):
    return Exchange("POST", "http://x/v1", {"authorization": "Bearer ***"}, b"{}", 200,
                    {"content-type": "application/json", **headers}, answer, 0.1, 0.2)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_an_exchange_shows_none(way):
    written = WAYS[way]
    shown = exchange(json.dumps({"error": {"message": f"bad key {written}"}}).encode(), **{"retry-after": written})
    hidden = shown.without(KEY)
    for text in (hidden.written(), repr(hidden)):
        assert written not in text and KEY[:-5] not in text and "***" in text


def test_letters_that_json_escapes():
    body = '{"message": "' + "".join(f"\\u{ord(letter):04x}" for letter in KEY) + '"}'
    hidden = exchange(body.encode()).without(KEY)
    assert KEY not in hidden.written() + repr(hidden) and '"message": "***"' in hidden.written()


def test_audio_is_left_alone():
    audio = bytes(range(256)) * 40
    assert exchange(audio).without(KEY).answer == audio


def test_short_words_are_not_taken_for_keys():
    assert redacted("no word is lost", ["word"]) == "no *** is lost"
    assert redacted("d29yZA== WORD wor", ["word"]) == "d29yZA== WORD wor"
