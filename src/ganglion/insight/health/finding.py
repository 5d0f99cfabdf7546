"""A finding: what is wrong, the evidence, the cause, and the remedy, in words and as code."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("severe", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """Something that is, or may be, wrong with a network, its data or its training.

    Attributes:
        name: such as "dying_relu".
        severity: "severe" (it cannot work like this), "warning" or "info".
        title: the finding in one sentence.
        evidence: the numbers that show it.
        cause: why this happens, in plain words.
        remedy: what to do.
        code: the remedy as Python code to paste where `gg`, `np`, `net`, `X` and `y` are defined. Code that
            changes the rows defines `prepare`, which new rows must go through too. Code that changes the
            targets defines `relabel` in the same way.
    """

    name: str
    severity: str
    title: str
    evidence: str
    cause: str
    remedy: str
    code: str
