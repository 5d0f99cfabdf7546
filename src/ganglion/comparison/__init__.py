"""Compares what ganglion and other learners reach on the same rows of one table.

`peers.py` holds the other learners: what each is called, and how it takes a table. `comparing.py` divides the
table into folds and lets each learner learn them.
"""

from ganglion.comparison.comparing import compare as compare
