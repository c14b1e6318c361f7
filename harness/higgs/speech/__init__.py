"""A small Higgs that speaks: a codec on the frames of the voice hibari, and training of a model from scratch."""
