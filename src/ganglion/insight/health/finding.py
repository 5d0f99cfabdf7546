"""A finding: what is wrong, how it shows, why, and what to do, as words and as code."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("severe", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a network, its data or its training, or may be.

    Attributes:
        name: what it is called, such as "dying_relu".
        severity: "severe" (it cannot work like this), "warning" or "info".
        title: what was found, in one sentence.
        evidence: the numbers that show it.
        cause: why this happens, in plain words.
        remedy: what to do.
        code: the remedy as Python that can be pasted where `gg`, `np`, `net`, `X` and `y` are known. It
            defines `prepare` where rows are changed first: new rows go through `prepare` too. Where
            targets are changed it defines `relabel` in the same way.
    """

    name: str
    severity: str
    title: str
    evidence: str
    cause: str
    remedy: str
    code: str
