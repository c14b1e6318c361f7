"""The small Higgs that speaks: sentences, the teacher that speaks them, and the measurements of the model that has learned from it."""
