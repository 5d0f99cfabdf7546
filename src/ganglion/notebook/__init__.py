"""A network in a notebook: units, arithmetic, boundary and curves to click through; the progress of `fit`.

`answers.py` answers the questions of the page, `parts.js` is the page's parts, which know nothing of
notebooks, and `widget.py` joins both in a widget (anywidget).
"""

from ganglion.notebook.widget import Live as Live, explore as explore
