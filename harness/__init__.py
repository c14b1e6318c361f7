"""Evaluation harness for inline prosody tags: place them, speak them, measure them.

Importing this package is cheap: heavy libraries (torch, transformers, parselmouth) are imported by
the modules that use them, so the package imports in both of the project's environments.
"""

__version__ = "0.1.0"
