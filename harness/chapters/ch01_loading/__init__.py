"""Chapter 01: loading the checkpoint."""
