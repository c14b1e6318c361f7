"""What taggers on a language model share: the base model, words as tokens, and models that read features off it."""
