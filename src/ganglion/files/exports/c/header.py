"""The same file in C, to be included by others."""

from functools import partial

from ganglion.files.exports import c

write = partial(c.write, header=True)
