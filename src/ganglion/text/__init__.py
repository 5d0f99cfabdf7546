"""Texts: normalized, cut into n-grams of words and of characters, and counted in numbered buckets."""
