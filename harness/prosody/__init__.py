"""From clips to outcomes: alignment, features, leak check, detectors, placebos, rates."""
