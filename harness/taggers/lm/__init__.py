"""Code shared by taggers on a language model: the base, words as tokens, and models on its hidden states."""
