"""The list of findings in the order of the search: causes before their consequences.

To add one: write a function of a `Subject` that returns a `Finding` or None, and list it here with the
findings that would explain it.
"""

from __future__ import annotations

from collections.abc import Callable

from ganglion.insight.health.data_findings import (
    class_imbalance,
    constant_feature,
    duplicate_feature,
    labels_out_of_line,
    leaking_target,
    unscaled_inputs,
)
from ganglion.insight.health.filter_findings import border_effects, similar_filters
from ganglion.insight.health.finding import SEVERITIES, Finding
from ganglion.insight.health.layer_findings import dying_relu, symmetric_weights, vanishing_gradient
from ganglion.insight.health.run_findings import (
    batch_too_large,
    exploding_loss,
    learning_rate_too_high,
    learning_rate_too_low,
    not_converged,
    overfitting,
    underfitting,
)
from ganglion.insight.health.subject import Subject

BROKEN = ("unscaled_inputs", "labels_out_of_line", "symmetric_weights", "exploding_loss")
STUCK = (*BROKEN, "learning_rate_too_high", "vanishing_gradient")
SLOW = (*STUCK, "dying_relu", "batch_too_large", "learning_rate_too_low")

# Each with the findings that explain it: after one of those, it is skipped.
FINDINGS: tuple[tuple[Callable[[Subject], Finding | None], tuple[str, ...]], ...] = (
    (unscaled_inputs, ()),
    (leaking_target, ()),
    (labels_out_of_line, ()),
    (constant_feature, ()),
    (duplicate_feature, ()),
    (symmetric_weights, ()),
    (similar_filters, ("symmetric_weights",)),
    (border_effects, ("unscaled_inputs",)),
    (exploding_loss, ()),
    (learning_rate_too_high, BROKEN),
    (dying_relu, BROKEN),
    (vanishing_gradient, (*BROKEN, "learning_rate_too_high", "dying_relu")),
    (batch_too_large, STUCK),
    (learning_rate_too_low, (*STUCK, "dying_relu", "batch_too_large")),
    (class_imbalance, (*STUCK, "dying_relu", "learning_rate_too_low")),
    (overfitting, ("exploding_loss", "learning_rate_too_high")),
    (not_converged, (*SLOW, "overfitting")),
    (underfitting, (*SLOW, "overfitting", "not_converged", "class_imbalance")),
)


def look_for(subject: Subject) -> list[Finding]:
    """Return the findings about a subject, worst first."""
    found: list[Finding] = []
    for look, explained_by in FINDINGS:
        if not any(finding.name in explained_by for finding in found) and (finding := look(subject)):
            found.append(finding)
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
