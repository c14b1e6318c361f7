"""Real recordings with people's labels: do the detectors and the listeners agree with what people hear?"""

from harness.prosody.validation.recordings import LabelledSet, LabelledWord, Recording
from harness.prosody.validation.sets import SETS, load_set
from harness.prosody.validation.study import validate

__all__ = ["SETS", "LabelledSet", "LabelledWord", "Recording", "load_set", "validate"]
