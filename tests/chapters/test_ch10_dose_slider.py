"""The slider over doses of chapter 10: it works by keyboard, and without scripts it is a table."""

import re

import numpy as np
import pytest

from harness.audio import Audio
from harness.chapters.ch10_audio_prosody.dose_slider import _SCRIPT, dose_slider
from harness.prosody.scorer import TagScore, judge
from harness.records import Arm
from harness.tagged import Tag

DOSES = (0.0, 1.5, 3.0)


@pytest.fixture(scope="module")
def html():
    """Three doses of a raised word, each with a tone of its own; the middle one is measured just below the floor."""
    time = np.arange(2400) / 24000
    made = {}
    for dose, value in zip(DOSES, (0.0, 1.41, 2.9), strict=True):
        clip = Audio((0.3 * np.sin(2 * np.pi * 200 * 2 ** (dose / 12) * time)).astype(np.float32), 24000)
        made[dose] = clip, judge(TagScore(arm=Arm.TAGGED, slot=3, tag=Tag.PITCH_HIGH, value=value))
    return dose_slider("Pitch of “here”", made).html


def test_each_dose_has_one_clip_and_one_verdict(html):
    cells = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td><td>.*?href="(data:audio.*?)"', html)
    assert [cell[:3] for cell in cells] == [
        ("0 st", "+0.00 st", "miss"), ("1.5 st", "+1.41 st", "miss"), ("3 st", "+2.90 st", "hit"),
    ]  # fmt: skip
    assert len({cell[3] for cell in cells}) == html.count("data:audio") == len(DOSES)


def test_the_slider_has_a_label_and_is_hidden_until_the_script_runs(html):
    assert '<label for="dose-pitch_high">Pitch of “here”</label><input type="range" id="dose-pitch_high"' in html
    assert '<div class="dose-controls" hidden>' in html and "<details>" in html and "needs at least 1.5 st" in html
    assert len(_SCRIPT.strip().splitlines()) < 30


def test_a_pause_that_is_longer_than_its_tag_is_too_long():
    score = TagScore(arm=Arm.TAGGED, slot=3, tag=Tag.PAUSE_SHORT, value=0.8)
    assert "<td>too long</td>" in dose_slider("Silence", {0.8: (Audio([0.1] * 2400, 24000), judge(score))}).html


@pytest.mark.browser
def test_the_arrow_keys_change_verdict_and_clip(html, browser):
    tab = browser.new_page()
    tab.set_content(f'<html lang="en"><title>t</title>{html}')
    said, player = tab.locator("output"), tab.locator("audio")
    seen = [(said.inner_text(), player.get_attribute("src"))]
    tab.locator("input").focus()
    for _ in DOSES[1:]:
        tab.keyboard.press("ArrowRight")
        seen.append((said.inner_text(), player.get_attribute("src")))
    assert [text for text, _ in seen] == [
        "0 st asked, +0.00 st measured: miss", "1.5 st asked, +1.41 st measured: miss", "3 st asked, +2.90 st measured: hit",
    ]  # fmt: skip
    assert len({clip for _, clip in seen}) == len(DOSES)
    assert tab.locator("input").get_attribute("aria-valuetext") == "3 st"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.tagName") == "AUDIO"
    tab.close()


@pytest.mark.browser
def test_without_scripts_the_table_remains(html, browser):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.set_content(html)
    assert not tab.locator("input").is_visible() and tab.locator("summary").is_visible()
    context.close()
