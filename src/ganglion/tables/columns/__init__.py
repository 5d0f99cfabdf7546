"""The kinds of columns: how each kind encodes its values as numbers.

A column is fitted on the training rows only. It is then frozen configuration: equal values always become
equal numbers. To add a kind, write its file, add the class to the list here, and select it in `fitting.py`.
"""

from ganglion.core.part import built_in
from ganglion.tables.columns.base import Column, Encoded, EncodedValue
from ganglion.tables.columns.boolean import BooleanColumn
from ganglion.tables.columns.category import MOST_CATEGORIES, CategoryColumn
from ganglion.tables.columns.date import DateColumn
from ganglion.tables.columns.level import LevelColumn, folds_of
from ganglion.tables.columns.number import NumberColumn
from ganglion.tables.columns.quantile import QuantileColumn
from ganglion.tables.columns.text import TextColumn

built_in(
    Column, [NumberColumn, QuantileColumn, BooleanColumn, CategoryColumn, DateColumn, LevelColumn, TextColumn]
)

__all__ = [
    "BooleanColumn",
    "CategoryColumn",
    "Column",
    "DateColumn",
    "Encoded",
    "EncodedValue",
    "LevelColumn",
    "MOST_CATEGORIES",
    "NumberColumn",
    "QuantileColumn",
    "TextColumn",
    "folds_of",
]
