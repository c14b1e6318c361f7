"""Higgs Audio v2 as an engine, in either stack."""

from harness.engines.higgs.boson import BosonInProcess, HiggsBosonEngine
from harness.engines.higgs.native import HiggsNativeEngine

__all__ = ["BosonInProcess", "HiggsBosonEngine", "HiggsNativeEngine"]
