"""Chapter 06: training the tagger."""
