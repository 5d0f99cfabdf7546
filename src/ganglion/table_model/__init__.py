"""From a table to predictions in its own values: the models, how they are trained and stored."""

from ganglion.table_model.joint import JointTableModel as JointTableModel
from ganglion.table_model.model import TableModel as TableModel
