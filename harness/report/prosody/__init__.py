"""Figures and tables of the chapters on audio, and of tagger and engine together."""
