"""Experiments: tag, speak, score; parallel, resumable, repeatable."""

from harness.experiment.runner import run
from harness.experiment.spec import Experiment, load_experiment, validate

__all__ = ["Experiment", "load_experiment", "run", "validate"]
