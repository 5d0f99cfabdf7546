"""To and from the networks of other frameworks, layer by layer: one file for each."""
