"""Findings about the run: its curves, its learning rate, its batches, and what it left undone.

Each is a function of the subject that returns a finding or None.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from ganglion.core.layers import Dense, Layer
from ganglion.insight.health.finding import Finding
from ganglion.insight.health.subject import TRIAL_STEPS, Subject
from ganglion.training.history import History
from ganglion.training.optimizers import Adam

# A loss ten times that of the start is no noise; training moves it the other way.
EXPLODED = 10.0
# A rate is called too high where one of these shares of it does better: less than a third is no other rate.
LOWER = (1 / 3, 1 / 10, 1 / 30, 1 / 100, 1 / 1000)
# A rate at which a fresh start gets its rows below this share of the trivial loss is not to blame.
SETTLED = 0.15
# It is called too low where a rate so many times higher does better: ten times is a matter of patience.
MUCH_HIGHER = 50.0
# Fewer updates in an epoch than this waste what the rows could teach; batches up to the usual size are fine.
FEW_UPDATES = 10
USUAL_BATCH = 32
# How much the validation loss must have risen above its lowest: of that, and of the trivial loss. Less is
# within the noise of some tens of validation rows.
RISEN = 0.25
RISEN_OF_TRIVIAL = 0.15
# The training loss must have fallen this far since: otherwise it is not the training that the rows fit.
FALLEN = 0.8
# The share of epochs at the end over which a fall of the loss is looked for, and the fall that matters.
LAST_PART = 0.2
STILL_FALLING = 0.03
AT_END = 0.01
# A learning rate below this share of its highest hardly moves the network any more.
RUN_DOWN = 0.1
# How many times as many epochs a run that was not done is given at least.
LONGER = 4
# The steps after which nearly any small network on small data has learned what it can.
LONGEST = 1500
# Below this share of the trivial loss a network is not called too small, whatever others reach.
POOR = 0.3
# What underfits is compared with: two layers of so many units, at a rate that suits nearly all scaled data.
WIDE = 64
WIDE_RATE = 0.005


def exploding_loss(subject: Subject) -> Finding | None:
    """The loss was no longer finite, or far above its start."""
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
        "Each update overshot the valley by more than the one before, so that weights and loss grew.",
        "Take smaller steps, limit the gradient's norm, and see that inputs and targets are scaled.",
        subject.code(epochs=max(subject.epochs or 0, subject.history.epochs, 30), **settings),
    )


def learning_rate_too_high(subject: Subject) -> Finding | None:
    """A short trial with a lower rate does clearly better than the whole run."""
    if not subject.can_try or subject.learned or subject.shrunken:
        return None
    steps = min(subject.history.epochs * subject.steps_per_epoch, TRIAL_STEPS)
    same = subject.trial(subject.rate, steps=steps)
    lower = [share * subject.rate for share in LOWER]
    tried = {rate: subject.trial(rate, steps=steps).usual for rate in lower}
    rate = min(tried, key=lambda one: tried[one])
    if not (subject.better(tried[rate]) and subject.better(tried[rate], same.usual)):
        return None
    if same.own < min(SETTLED * subject.trivial, subject.reached):
        return None
    rises = np.mean(np.diff(subject.history.loss) > 0) if subject.history.epochs > 1 else 0.0
    return Finding(
        "learning_rate_too_high",
        "severe" if subject.reached > 0.9 * subject.trivial else "warning",
        "The learning rate is too high: the updates jump across the valley.",
        f"loss {subject.reached:.4g} after {subject.history.epochs} epochs at {subject.rate:g}, but "
        f"{tried[rate]:.4g} after {steps} steps at {rate:.2g}, on rows it had not seen; the loss rose in "
        f"{rises:.0%} of the epochs",
        "A step that is too long lands on the other side of the valley, higher up or in a flat place.",
        f"Start anew with a lower learning rate; {subject.good_rate:g} did best in short trials.",
        subject.code(optimizer=subject.with_rate(min(subject.good_rate, rate))),
    )


def learning_rate_too_low(subject: Subject) -> Finding | None:
    """Rates many times higher do clearly better in as many steps."""
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
        "The learning rate is too low: the network hardly moves.",
        f"loss {subject.history.loss[0]:.4g} in the first epoch and {subject.history.loss[-1]:.4g} in epoch "
        f"{subject.history.epochs} at {subject.rate:g}; {other:.4g} after {steps} steps at {rate:g}, on rows "
        f"it had not seen",
        "Steps this short would need many times as many epochs to get anywhere.",
        f"Start anew with a higher learning rate; {rate:g} did best in short trials.",
        subject.code(optimizer=subject.with_rate(rate)),
    )


def batch_too_large(subject: Subject) -> Finding | None:
    """Few updates an epoch, and smaller batches do clearly better in as many epochs."""
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
        f"{size:,} of {subject.row_count:,} rows a batch, {made:,} updates in {history.epochs} epochs; loss "
        f"{subject.reached:.4g}, but {other.best:.4g} after {other.steps:,} updates with batches of "
        f"{USUAL_BATCH}, on rows it had not seen",
        "An update costs a pass over its batch, and this many rows say little more than a few of them.",
        f"Use batches of {USUAL_BATCH} rows: {history.epochs} epochs then make {usual:,} updates.",
        subject.code(batch_size=USUAL_BATCH),
    )


def not_converged(subject: Subject) -> Finding | None:
    """The loss was still falling at the end, or the same run does clearly better if it goes on."""
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
            f"loss {subject.reached:.4g} after {steps:,} steps, but {other.last:.4g} after {other.steps:,} "
            f"in a trial, on rows it had not seen"
        )
    else:
        return None
    epochs = max(LONGER * history.epochs, round(LONGEST / subject.steps_per_epoch))
    settings: dict[str, Any] = {
        "epochs": epochs,
        "optimizer": stretched(subject.optimizer, epochs / history.epochs),
    }
    if history.validation_loss:
        settings["callbacks"] = f"[gg.EarlyStopping(patience={max(10, epochs // 5)})]"
    return Finding(
        "not_converged",
        "warning",
        "The run ended before the network had learned what it could.",
        evidence,
        "There were too few epochs: the loss was still on its way down, or on a level stretch of it.",
        f"Train {epochs / history.epochs:.0f} times as long"
        + (", and stop where the validation loss no longer improves." if "callbacks" in settings else "."),
        subject.code(**settings),
    )


def overfitting(subject: Subject) -> Finding | None:
    """The validation loss has risen from its lowest while the training loss kept falling."""
    history = subject.history
    curve, loss = np.array(history.validation_loss), np.array(history.loss)
    if len(curve) < 5 or len(curve) != len(loss) or history.best_epoch is not None:
        return None
    known = np.isfinite(curve) & np.isfinite(loss)
    if not known[-1]:
        return None
    curve = np.where(known, curve, np.inf)
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
        "From then on it learned what is particular to the training rows, noise included.",
        "Stop at the best epoch; dropout, weight decay, fewer units or more rows help too.",
        subject.code(callbacks="[gg.EarlyStopping(patience=10)]"),
    )


def underfitting(subject: Subject) -> Finding | None:
    """A network with more units and without restraints does clearly better on rows it has not seen."""
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
        "The network learns less than the rows have to teach.",
        f"loss {subject.reached:.4g}, the trivial answer has {subject.trivial:.4g}; two layers of {WIDE} "
        f"units without restraints reached {other.best:.4g} in a trial, on rows they had not seen",
        "It has too few units or layers, or dropout and penalties hold it back too much.",
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
    """Return how far a loss fell in the last part of its epochs, 0 where that cannot be said."""
    part = max(1, round(LAST_PART * len(curve)))
    last = np.array(curve[-2 * part :])
    if len(last) < 2 * part or not np.isfinite(last).all():
        return 0.0
    return float(np.median(last[:part]) - np.median(last[part:]))


def run_down(history: History) -> bool:
    """Return whether a schedule brought the learning rate down: such a run ended where it was meant to."""
    rates = [rate for rate in history.learning_rate if math.isfinite(rate)]
    return bool(rates) and rates[-1] < RUN_DOWN * max(rates)


def stretched(optimizer: Any, times: float) -> Any:
    """Return the optimizer with a schedule that lasts so many times as long, None for None."""
    schedule = getattr(optimizer, "learning_rate", None)
    if schedule is None or not schedule.has_length:
        return optimizer
    longer = dataclasses.replace(schedule, epochs=schedule.epochs * times)
    return dataclasses.replace(optimizer, learning_rate=longer)
