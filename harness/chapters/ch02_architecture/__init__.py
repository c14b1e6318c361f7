"""Chapter 02: the architecture."""
