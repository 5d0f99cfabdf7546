"""Findings about the run: its loss curves, learning rate, batch size, and whether it converged.

Each is a function of the subject that returns a finding or None.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from ganglion.core.layers import Dense, Layer
from ganglion.errors import amount
from ganglion.insight.health.finding import Finding
from ganglion.insight.health.subject import TRIAL_STEPS, Subject
from ganglion.training.history import History
from ganglion.training.optimizers import Adam

# A loss ten times that of the start is not noise: training should lower it.
EXPLODED = 10.0
# A rate is too high if one of these fractions of it does better; rates closer than a third hardly differ.
LOWER = (1 / 3, 1 / 10, 1 / 30, 1 / 100, 1 / 1000)
# A rate with which a trial gets below this fraction of the trivial loss on its own rows is not to blame.
SETTLED = 0.15
# A rate is too low if one this many times higher does better; with ten times, more epochs would do.
MUCH_HIGHER = 50.0
# Fewer updates per epoch than this waste information in the rows; batches up to the usual size are fine.
FEW_UPDATES = 10
USUAL_BATCH = 32
# How far the validation loss must have risen from its lowest value, as a fraction of that value and of the
# trivial loss. Less is within the noise of a few dozen validation rows.
RISEN = 0.25
RISEN_OF_TRIVIAL = 0.15
# The training loss must have fallen to this fraction since then; otherwise the cause is not overfitting.
FALLEN = 0.8
# The final fraction of the epochs in which a fall of the loss is measured, and the fall that matters, as a
# fraction of the loss and of the trivial loss.
LAST_PART = 0.2
STILL_FALLING = 0.03
AT_END = 0.01
# A learning rate below this fraction of its highest value hardly changes the network.
RUN_DOWN = 0.1
# A run that was too short gets at least this many times as many epochs.
LONGER = 4
# The number of steps in which nearly any small network learns what it can from small data.
LONGEST = 1500
# A network is never too small if its loss is below this fraction of the trivial loss.
POOR = 0.3
# A network that may underfit is compared with two layers of this width, at a rate that suits most scaled
# data.
WIDE = 64
WIDE_RATE = 0.005


def exploding_loss(subject: Subject) -> Finding | None:
    """The loss is no longer finite, or far above its initial value."""
    history = subject.history
    curve = [value for value in history.loss if math.isfinite(value)]
    failed = history.ended == "failed" and "no longer finite" in history.stopped_because
    grown = bool(curve) and np.median(curve[-3:]) > EXPLODED * max(subject.start, subject.trivial)
    if not failed and not grown:
        return None
    evidence = f"loss {subject.start:.4g} at the start"
    if curve:
        evidence += f", {curve[0]:.4g} in the first epoch, {curve[-1]:.4g} in the last"
    if failed:
        evidence += "; " + history.stopped_because.partition(";")[0]
    settings: dict[str, Any] = {}
    if subject.makes_steps:
        evidence += f"; learning rate up to {subject.rate:g}"
        settings["optimizer"] = subject.with_rate(min(subject.good_rate, subject.rate / 10), clip_norm=1.0)
    return Finding(
        "exploding_loss",
        "severe",
        "The loss grew without bound instead of falling.",
        evidence,
        "Each update overshot the valley farther than the one before, so weights and loss grew.",
        "Take smaller steps, limit the gradient's norm, and check that inputs and targets are scaled.",
        subject.code(epochs=max(subject.epochs or 0, subject.history.epochs, 30), **settings),
    )


def learning_rate_too_high(subject: Subject) -> Finding | None:
    """A short trial with a lower rate does clearly better than the whole run."""
    if not subject.can_try or subject.learned or subject.shrunken:
        return None
    steps = min(subject.history.epochs * subject.steps_per_epoch, TRIAL_STEPS)
    same = subject.trial(subject.rate, steps=steps)
    lower = [fraction * subject.rate for fraction in LOWER]
    tried = {rate: subject.trial(rate, steps=steps).usual for rate in lower}
    rate = min(tried, key=lambda one: tried[one])
    if not (subject.better(tried[rate]) and subject.better(tried[rate], same.usual)):
        return None
    if same.own < min(SETTLED * subject.trivial, subject.reached):
        return None
    lower_rate = min(subject.good_rate, rate)
    rises = np.mean(np.diff(subject.history.loss) > 0) if subject.history.epochs > 1 else 0.0
    return Finding(
        "learning_rate_too_high",
        "severe" if subject.reached > 0.9 * subject.trivial else "warning",
        "The learning rate is too high: the updates jump across the valley.",
        f"loss {subject.reached:.4g} after {subject.history.epochs} epochs at {subject.rate:g}, but "
        f"{tried[rate]:.4g} on unseen rows after {steps} steps at {rate:.2g}; the loss rose in {rises:.0%} "
        f"of the epochs",
        "Too long a step lands on the other side of the valley, higher up or on a plateau.",
        f"Start again with a lower learning rate, such as {lower_rate:g} (--learning-rate {lower_rate:g}).",
        subject.code(optimizer=subject.with_rate(lower_rate)),
    )


def learning_rate_too_low(subject: Subject) -> Finding | None:
    """Much higher rates do clearly better in the same number of steps."""
    if not subject.can_try or subject.learned or subject.shrunken:
        return None
    rate = subject.good_rate
    if rate < MUCH_HIGHER * subject.rate:
        return None
    steps = min(subject.history.epochs * subject.steps_per_epoch, TRIAL_STEPS)
    same, other = (subject.trial(one, steps=steps).last for one in (subject.rate, rate))
    if not (subject.better(other) and subject.better(other, same)):
        return None
    return Finding(
        "learning_rate_too_low",
        "warning",
        "The learning rate is too low: the network hardly changes.",
        f"loss {subject.history.loss[0]:.4g} in the first epoch and {subject.history.loss[-1]:.4g} in epoch "
        f"{subject.history.epochs} at {subject.rate:g}; {other:.4g} on unseen rows after {steps} steps at "
        f"{rate:g}",
        "With such short steps, training would take many times as many epochs.",
        f"Start again with a higher learning rate; {rate:g} did best in short trials (--learning-rate "
        f"{rate:g}).",
        subject.code(optimizer=subject.with_rate(rate)),
    )


def batch_too_large(subject: Subject) -> Finding | None:
    """There are few updates per epoch, and smaller batches do clearly better in as many epochs."""
    size, history = subject.batch_size, subject.history
    if size is None or size <= USUAL_BATCH or not subject.can_try:
        return None
    if subject.steps_per_epoch >= FEW_UPDATES or subject.learned:
        return None
    made = history.epochs * subject.steps_per_epoch
    usual = history.epochs * math.ceil(subject.row_count / USUAL_BATCH)
    other = subject.trial(subject.rate, batch_size=USUAL_BATCH, steps=min(usual, LONGEST))
    if not subject.better(other.best):
        return None
    return Finding(
        "batch_too_large",
        "warning",
        "The batch is too large for the data: there were few updates.",
        f"{size:,} of {subject.row_count:,} rows per batch, {made:,} updates in {history.epochs} epochs; "
        f"loss {subject.reached:.4g}, but {other.best:.4g} on unseen rows after {other.steps:,} updates with "
        f"batches of {USUAL_BATCH}",
        "An update costs a pass over its batch, but the gradient of this many rows is hardly better than "
        "that of a few.",
        f"Use batches of {USUAL_BATCH} rows (--batch-size {USUAL_BATCH}): {history.epochs} epochs then "
        f"make {usual:,} updates.",
        subject.code(batch_size=USUAL_BATCH),
    )


def not_converged(subject: Subject) -> Finding | None:
    """The loss was still falling at the end, or a longer run does clearly better."""
    history = subject.history
    if not history.epochs or history.ended in ("failed", "converged"):
        return None
    curve, steps = history.validation_loss, history.epochs * subject.steps_per_epoch
    fall = last_fall(curve) if history.best_epoch is None and not run_down(history) else 0.0
    if curve and fall > AT_END * abs(subject.trivial) and fall > STILL_FALLING * abs(curve[-1]):
        evidence = (
            f"the validation loss fell by {fall:.3g} to {curve[-1]:.4g} in the last {LAST_PART:.0%} of "
            f"{history.epochs} epochs"
        )
    elif subject.can_try and not (subject.learned or subject.shrunken) and LONGER * steps < LONGEST:
        other = subject.trial(subject.rate, steps=LONGEST)
        if not subject.better(other.last):
            return None
        evidence = (
            f"loss {subject.reached:.4g} after {steps:,} steps, but {other.last:.4g} on unseen rows in a "
            f"trial of {other.steps:,} steps"
        )
    else:
        return None
    epochs = max(LONGER * history.epochs, round(LONGEST / subject.steps_per_epoch))
    patience = max(10, epochs // 5)
    settings: dict[str, Any] = {
        "epochs": epochs,
        "optimizer": stretched(subject.optimizer, epochs / history.epochs),
    }
    if history.validation_loss:
        settings["callbacks"] = f"[gg.EarlyStopping(patience={patience})]"
    return Finding(
        "not_converged",
        "warning",
        "The run ended before it converged.",
        evidence,
        "There were too few epochs: the loss was still falling, or on a plateau before a further fall.",
        f"Train for {epochs} epochs (--epochs {epochs})"
        + (
            f", and stop when the validation loss no longer improves (--patience {patience})."
            if "callbacks" in settings
            else "."
        ),
        subject.code(**settings),
    )


def overfitting(subject: Subject) -> Finding | None:
    """The validation loss has risen from its lowest while the training loss kept falling."""
    history = subject.history
    curve, loss = np.array(history.validation_loss), np.array(history.loss)
    if len(curve) < 5 or len(curve) != len(loss) or history.best_epoch is not None:
        return None
    finite = np.isfinite(curve) & np.isfinite(loss)
    if not finite[-1]:
        return None
    curve = np.where(finite, curve, np.inf)
    best = int(curve.argmin())
    end = float(np.median(curve[-max(len(curve) // 10, 3) :]))
    rise = end - curve[best]
    if (
        rise < RISEN * curve[best]
        or rise < RISEN_OF_TRIVIAL * subject.trivial
        or loss[-1] > FALLEN * loss[best]
    ):
        return None
    return Finding(
        "overfitting",
        "warning",
        f"The network began to overfit after epoch {best + 1}.",
        f"validation loss {curve[best]:.4g} in epoch {best + 1}, {end:.4g} at the end; training loss "
        f"{loss[best]:.4g} then, {loss[-1]:.4g} at the end",
        "From then on it learned the peculiarities and the noise of the training rows.",
        f"Train for {amount(best + 1, 'epoch')} (--epochs {best + 1}), or stop when the validation loss no "
        "longer improves (--patience 10); dropout, weight decay, fewer units or more rows help too.",
        subject.code(callbacks="[gg.EarlyStopping(patience=10)]"),
    )


def underfitting(subject: Subject) -> Finding | None:
    """A larger, unregularized network does clearly better on unseen rows."""
    if not subject.enough or not subject.history.epochs or subject.reached < POOR * subject.trivial:
        return None
    outputs = subject.model.architecture.outputs
    if not subject.has_columns or len(outputs) != 1:
        return None
    activation = subject.model.architecture.output_activation or "identity"
    layers: list[Layer] = [Dense(WIDE, "relu"), Dense(WIDE, "relu"), Dense(outputs[0], activation)]
    adam = Adam(WIDE_RATE)
    other = subject.trial(
        WIDE_RATE,
        optimizer=adam,
        layers=layers,
        batch_size=USUAL_BATCH,
        steps=LONGEST,
        regularized=False,
    )
    if not subject.better(other.best):
        return None
    return Finding(
        "underfitting",
        "severe" if subject.reached > 0.9 * subject.trivial else "warning",
        "The network learns less than is possible from these rows.",
        f"loss {subject.reached:.4g}, the trivial answer has {subject.trivial:.4g}; two layers of {WIDE} "
        f"units without regularization reached {other.best:.4g} on unseen rows in a trial",
        "It has too few units or layers, or dropout and penalties restrict it too much.",
        "Use more units, and less dropout and regularization; stop when the validation loss rises.",
        subject.code(
            layers=layers,
            optimizer=adam,
            epochs=max(10, math.ceil(LONGEST * USUAL_BATCH / subject.row_count)),
            batch_size=USUAL_BATCH,
            validation=0.2,
            callbacks="[gg.EarlyStopping(patience=10)]",
            regularization=None,
        ),
    )


def last_fall(curve: list[float]) -> float:
    """Return how far a loss fell in the last part of its epochs, 0 if that is unknown."""
    part = max(1, round(LAST_PART * len(curve)))
    last = np.array(curve[-2 * part :])
    if len(last) < 2 * part or not np.isfinite(last).all():
        return 0.0
    return float(np.median(last[:part]) - np.median(last[part:]))


def run_down(history: History) -> bool:
    """Return whether a schedule lowered the learning rate to its end: then the run ended as planned."""
    rates = [rate for rate in history.learning_rate if math.isfinite(rate)]
    return bool(rates) and rates[-1] < RUN_DOWN * max(rates)


def stretched(optimizer: Any, times: float) -> Any:
    """Return the optimizer with its schedule this many times as long, None for None."""
    schedule = getattr(optimizer, "learning_rate", None)
    if schedule is None or not schedule.has_length:
        return optimizer
    longer = dataclasses.replace(schedule, epochs=schedule.epochs * times)
    return dataclasses.replace(optimizer, learning_rate=longer)
