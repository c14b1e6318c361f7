"""Chapter 09: the Higgs API."""
