"""Figures of the chapters on Higgs: loading, architecture, PEFT, training, the engine, the API."""
