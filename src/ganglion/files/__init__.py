"""Model files: one small file with numbers and a description, and no code."""
