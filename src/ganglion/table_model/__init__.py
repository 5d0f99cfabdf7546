"""From a table to predictions in its own values: the model, how it is trained, and how it is stored."""

from ganglion.table_model.model import TableModel as TableModel
