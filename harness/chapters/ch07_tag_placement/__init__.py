"""Chapter 07: tag placement."""
