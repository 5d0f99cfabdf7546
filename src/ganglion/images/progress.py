"""The progress of decoding, on the terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from ganglion.optional import load


class ProgressBar:
    """A bar with the number of pictures decoded and the time left, on standard error; silent in a pipe.

    Args:
        label: the text at the start of the line, "decoding" by default.

    >>> from ganglion.images import ProgressBar
    >>> with ProgressBar() as progress:
    ...     progress(50, 100)
    """

    def __init__(self, label: str = "decoding") -> None:
        rich, console = load("rich.progress"), load("rich.console").Console(stderr=True)
        self.bar: Any = rich.Progress(
            rich.TextColumn(label),
            rich.MofNCompleteColumn(),
            rich.BarColumn(bar_width=10),
            rich.TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(label, total=None)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` pictures are decoded."""
        self.bar.update(self.task, completed=done, total=total)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()
