"""The tagger `hand_features`: two classical models on features written by hand."""
