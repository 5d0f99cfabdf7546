"""How much a request may ask for, and the refusal of one that asks for more."""

from __future__ import annotations

from dataclasses import dataclass

from ganglion.checks import check_integer, check_number
from ganglion.errors import DataError, amount

MOST_COLUMNS = 10_000
MOST_OUTPUTS = 10_000_000  # numbers in one answer: rows times outputs of the network
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """The limits of a server.

    Args:
        megabytes: of the body of a request, in units of 2**20 bytes.
        rows: of a request.
        seconds: from the head of a request to its answer.
        requests: at a time, those that wait for a processor included.

    Raises:
        ConfigError: for a limit out of range.
    """

    megabytes: float = 16
    rows: int = 100_000
    seconds: float = 30
    requests: int = 64

    def __post_init__(self) -> None:
        check_number("the limit of megabytes", self.megabytes, above=0, at_most=2048)
        check_integer("the limit of rows", self.rows, at_least=1)
        check_number("the limit of seconds", self.seconds, above=0, at_most=86_400)
        check_integer("the limit of requests", self.requests, at_least=1, at_most=10_000)

    @property
    def bytes(self) -> int:
        """The greatest size of a body."""
        return int(self.megabytes * MEBIBYTE)

    def most_rows(self, outputs: int) -> int:
        """Return how many rows a request may hold for a network with so many outputs."""
        return max(1, min(self.rows, MOST_OUTPUTS // outputs))


class TooLargeError(DataError):
    """A request that exceeds a limit."""


def check_rows(count: int, most: int) -> None:
    """Raise `TooLargeError` for too many rows."""
    if count > most:
        raise TooLargeError(
            f"a request must hold at most {amount(most, 'row')}, got {count:,}", "send them in parts"
        )


def check_columns(count: int) -> None:
    """Raise `TooLargeError` for too many columns."""
    if count > MOST_COLUMNS:
        raise TooLargeError(
            f"a row must hold at most {MOST_COLUMNS:,} columns, got {count:,}",
            "send only the columns that the model needs",
        )
