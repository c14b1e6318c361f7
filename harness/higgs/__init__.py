"""The case study: loading, fine-tuning and converting Higgs Audio v2, on tiny checkpoints with random weights."""
