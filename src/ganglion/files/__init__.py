"""Model files: one small file that holds numbers and a description, and nothing that runs."""
