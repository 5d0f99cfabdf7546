# What `ganglion.insight` offers; lazy_loader reads this file, and so do type checkers and editors.

from . import plot as plot
from .attribution import Attribution as Attribution, attribute as attribute
from .dependence import Dependence as Dependence
from .health import (
    Finding as Finding,
    Health as Health,
    HealthCheck as HealthCheck,
    check_health as check_health,
)
from .importance import Importance as Importance
from .regions import grad_cam as grad_cam, occlusion as occlusion, saliency as saliency
from .surface import Surface as Surface, surface as surface
from .trace import Trace as Trace, make_trace as make_trace, trace_rows as trace_rows
from .words import Words as Words
