"""Chapter 08: the Higgs engine."""
