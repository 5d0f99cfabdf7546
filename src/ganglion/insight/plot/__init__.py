"""Pictures of a network, its history and its parts, by matplotlib: `pip install 'ganglion[plot]'`.

Each function draws on one matplotlib Axes and returns it: `ax` if it is given, the axes of a new figure
otherwise. Nothing is shown, saved or closed, and no setting of matplotlib is changed. To save a picture:
`gg.plot.activation("tanh").figure.savefig("tanh.png")`.
`pictures.py` draws histories, networks and activations, `landscapes.py` what is answered or lost at many
places, `confusion.py` right and wrong answers; what they share is in `drawing.py`.
"""

from ganglion.insight.plot.confusion import confusion
from ganglion.insight.plot.landscapes import boundary, loss_surface
from ganglion.insight.plot.pictures import activation, history, network, units

__all__ = ["activation", "boundary", "confusion", "history", "loss_surface", "network", "units"]
