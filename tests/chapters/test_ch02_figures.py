import io
import re

import numpy as np
import pytest

from harness.chapters.ch02_architecture.figures import (
    delay_pattern_grid,
    hidden_state_change_maps,
    memory_need_bars,
    parameter_count_bars,
)
from harness.higgs.accounting import AUDIO_SIDE, OTHER, TEXT_SIDE
from harness.higgs.delay import STREAM_BOS, STREAM_EOS, delay
from harness.higgs.memory import GIB, estimate
from harness.publish.style import Figure

WIDEST = 774  # pixels: the page's column on a wide screen


def shown(figure):
    """Width and the number of colours of the PNG; fails if it is not one or has no text alternative."""
    import matplotlib.image

    assert isinstance(figure, Figure) and len(figure.alt) > 40
    pixels = matplotlib.image.imread(io.BytesIO(figure.png))
    return pixels.shape[1], len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0))


@pytest.fixture
def groups():
    return {name: round((place + 1) * 1e8) for place, name in enumerate((*TEXT_SIDE, *AUDIO_SIDE, OTHER))}


def test_parameter_bars_say_what_they_show(groups):
    figure = parameter_count_bars({"one": groups, "two": {**groups, "text head": 0}})
    width, colours = shown(figure)
    assert width <= WIDEST and colours > 6
    one, two = figure.alt.split("; ")
    assert "one: text embedding 0.10, attention 0.20, text FFN 0.30, text head 0.50, audio FFN 0.60" in one
    assert "audio embedding and head 1.70" in one
    assert "text head" not in two


def test_routing_maps_count_what_moved():
    change = np.zeros((3, 4))
    change[1, 1], change[2, 1:] = 0.5, 0.01
    routed = {"part": "audio FFN", "layer": 0, "kinds": ["text", "audio", "text", "text"], "change": change.tolist()}
    figure = hidden_state_change_maps([routed], "A title")
    assert shown(figure)[0] <= WIDEST
    said = "audio FFN of layer 0 changed: 0 of 3 text positions moved in that layer, 1 of 1 audio positions moved in that layer"
    assert said in figure.alt
    assert "2 of 3 text positions moved at the end" in figure.alt
    quiet = hidden_state_change_maps([{**routed, "change": (change * (change > 0.1)).tolist()}], "A title")
    assert quiet.png != figure.png


def test_the_delay_grid_draws_the_array():
    delayed = delay(np.arange(24).reshape(8, 3))
    figure = delay_pattern_grid(delayed.tolist(), STREAM_BOS, STREAM_EOS)
    assert shown(figure)[0] <= WIDEST
    assert re.search(r"8 codebooks and 12 steps.*codes of 3 frames", figure.alt)
    delayed[7, -2] = STREAM_EOS
    assert delay_pattern_grid(delayed.tolist(), STREAM_BOS, STREAM_EOS).png != figure.png


def test_memory_bars_say_the_totals():
    figure = memory_need_bars({"load": estimate(GIB, 0, "bf16"), "train": estimate(GIB, GIB, "mixed")})
    assert shown(figure)[0] <= WIDEST
    assert figure.alt.endswith("load: 2.0; train: 16.0")
