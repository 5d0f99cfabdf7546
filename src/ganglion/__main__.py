"""`python -m ganglion` is the command line."""

from ganglion.cli import main

main()
