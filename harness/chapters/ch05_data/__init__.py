"""Chapter 05: the data and the tags."""
