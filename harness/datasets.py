"""Datasets (draft)."""
