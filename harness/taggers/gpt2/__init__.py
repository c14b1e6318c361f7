"""The GPT-2 tagger: a causal language model that reads a sentence twice and answers at each slot."""
