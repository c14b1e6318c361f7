"""Benchmarks of taggers: which data they are trained, tuned and scored on."""
