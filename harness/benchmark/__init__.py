"""Benchmarks of taggers: what is trained on what, chosen on what, and scored on what."""
