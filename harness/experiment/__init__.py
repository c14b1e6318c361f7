"""Experiments: tag, speak, score; parallel, resumable, repeatable."""

from harness.experiment.runner import run
from harness.experiment.spec import Experiment, changed, load_experiment, validate

__all__ = ["Experiment", "changed", "load_experiment", "run", "validate"]
