"""Chapter 04: training Higgs."""
