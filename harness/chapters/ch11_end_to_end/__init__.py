"""Chapter 11: tagger and engine end to end."""
