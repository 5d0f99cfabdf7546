"""Reading: from files, folders and frames to a table whose columns are numbers, dates, words, true or false.

`sources` finds the bytes or the frame, `layout` and `text` take a text file apart into cells, `cells` and
`dates` understand these column by column, `options` holds what the user fixed and what a model remembers.
"""

from ganglion.tables.reading.options import Reading as Reading, ReadOptions as ReadOptions
from ganglion.tables.reading.sources import open_table as open_table, read_table as read_table
