"""The history of a run: what was measured in each epoch, and why it stopped."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """One entry an epoch in each list.

    Attributes:
        loss: the mean over the epoch's batches, each measured before its update, without penalties.
        validation_loss: after the epoch, on the validation rows; empty without validation.
        metrics: by name, after the epoch, on the validation rows, or the training rows without validation.
        learning_rate: of the epoch's last update.
        gradient_norm: the mean over the epoch's batches, before clipping.
        seconds: from the beginning of the run to the end of the epoch.
        stopped_because: the reason, in words.
        best_epoch: the epoch (from 1) whose weights were restored, None if the last ones were kept.
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    learning_rate: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped_because: str = ""
    best_epoch: int | None = None

    @property
    def epochs(self) -> int:
        """How many epochs were completed."""
        return len(self.loss)

    def series(self, name: str) -> list[float] | None:
        """Return the list that a callback may watch: loss, validation_loss, gradient_norm or a metric."""
        plain = {
            "loss": self.loss,
            "validation_loss": self.validation_loss,
            "gradient_norm": self.gradient_norm,
        }
        return plain.get(name) or self.metrics.get(name)

    def __repr__(self) -> str:
        last = f", loss {self.loss[-1]:.4g}" if self.loss else ""
        if self.validation_loss:
            last += f", validation loss {self.validation_loss[-1]:.4g}"
        return f"<History: {self.epochs} epochs{last}; stopped because {self.stopped_because}>"
