"""Shared by all tests."""

import os

# Two cores: let each test process keep one, so that parallel workers do not fight over them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
