"""The GPT-2 tagger: a causal language model that copies a sentence and puts the tags in."""
