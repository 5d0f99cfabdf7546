"""Pictures of a network, its history and its parts, with matplotlib: `pip install 'ganglion[plot]'`.

Each function draws on one matplotlib Axes and returns it: on `ax`, or else on the axes of a new figure. No
function shows, saves or closes a figure or changes a setting of matplotlib. To save a picture:
`gg.plot.activation("tanh").figure.savefig("tanh.png")`.

`pictures.py` draws histories, networks and activations, `landscapes.py` predictions over a plane and losses
over parameters, `confusion.py` confusion matrices, `comparison.py` how well several learners do, `columns.py`
how a table model uses its columns and how far its probabilities are right, `images.py` filters, augmented
pictures and which part of an image decides, `telling.py` which words tell most; common code is in
`drawing.py`.
"""

from ganglion.insight.plot.columns import bins, dependence, importance, reliability
from ganglion.insight.plot.comparison import comparison
from ganglion.insight.plot.confusion import confusion
from ganglion.insight.plot.images import augmented, feature_maps, filters, occlusion, saliency, why
from ganglion.insight.plot.landscapes import boundary, loss_surface
from ganglion.insight.plot.pictures import activation, history, network, units
from ganglion.insight.plot.telling import words

__all__ = [
    "activation",
    "augmented",
    "bins",
    "boundary",
    "comparison",
    "confusion",
    "dependence",
    "feature_maps",
    "filters",
    "history",
    "importance",
    "loss_surface",
    "network",
    "occlusion",
    "reliability",
    "saliency",
    "units",
    "why",
    "words",
]
