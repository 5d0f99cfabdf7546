"""Numbers as people write them: the sign of a currency, a percent sign or a unit is taken from the digits."""

from __future__ import annotations

import polars as pl

SIGN = r"[-+]?"
CODES = (
    "USD|EUR|GBP|CHF|JPY|CNY|INR|BRL|MXN|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|RUB|UAH|ZAR|KRW|SGD|HKD"
    "|THB|IDR|MYR|PHP|VND|ILS|AED|SAR|EGP|NGN|KES|ARS|CLP|COP|PEN"
)
CURRENCY = rf"(?:[A-Z]{{0,3}}\p{{Sc}}|Rs\.?|{CODES})"
# A word after the number, such as kg, km/h, °C, m², kr. or years.
WORD = r"(?:[%‰°″\x22]|°?[\pL][\pL/²³.]{0,11})"
WITH_UNIT = rf"^({SIGN}[\d.,' ]*\d[.,]?(?:[eE][-+]?\d+)?)\s*({CURRENCY}|{WORD})$"
# Units of one quantity that differ from each other: a column with several of them is no column of numbers.
MEASURES = frozenset({
    "mg", "g", "kg", "t", "lb", "lbs", "oz", "mm", "cm", "m", "km", "in", "ft", "yd", "mi", "ml", "cl",
    "dl", "l", "ms", "s", "sec", "min", "h", "hr", "hrs", "hour", "hours", "minute", "minutes",
    "second", "seconds", "day", "days", "week", "weeks", "month", "months", "year", "years", "W", "kW",
    "MW", "B", "kB", "KB", "MB", "GB", "TB", "k", "K", "M", "Mio", "Mrd", "mn", "bn", "°C", "°F", "°K",
    "Hz", "kHz", "MHz", "GHz", "%", "‰",
})  # fmt: skip
# Digits of other scripts, and the signs between them.
SCRIPTS = (
    0x660,
    0x6F0,
    0x966,
    0x9E6,
    0xE50,
    0xFF10,
)  # the zeros: Arabic, Persian, Devanagari, Bengali, Thai, wide
OTHERS = {chr(zero + digit): str(digit) for zero in SCRIPTS for digit in range(10)}
OTHERS |= {"٫": ".", "٬": ",", "٪": "%", "．": ".", "，": ",", "－": "-", "％": "%"}


def split(values: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """Return the plain numbers in texts such as "$1,234.00", "6.5 %" and "(12.50)", and their units.

    Args:
        values: text.

    Returns:
        The texts without what is no part of the number; the units, null where there is none, or None if
        there are none at all.
    """
    text = values.str.strip_chars()
    if text.str.contains(r"[^\x00-\x7f]").any():
        text = (
            text.str.replace_all("[\u2212\u2013]", "-")
            .str.replace_all("[\u00a0\u202f\u2009]", " ")
            .str.replace_all("[\u2019\u02bc]", "'")
            .str.replace_many(list(OTHERS), list(OTHERS.values()))
        )
    if text.str.contains(r"^[-+]?[.\d]", literal=False).all() and text.str.contains(r"\d$|\d[.,]$").all():
        return text, None
    text = text.str.replace(r"^\((.*)\)$", "-$1").str.replace(r"^(\d[\d.,' ]*)-$", "-$1")
    before = text.str.extract(rf"^{SIGN}\s*({CURRENCY})\s*{SIGN}[.\d]")
    text = text.str.replace(rf"^({SIGN})\s*{CURRENCY}\s*({SIGN}[.\d])", "$1$2")
    after = text.str.extract(WITH_UNIT, 2)
    text = text.str.replace(WITH_UNIT, "$1").str.strip_chars()
    units = before.fill_null(after)
    return text, None if units.null_count() == len(units) else units


def alike(units: pl.Series, unit: str) -> pl.Series:
    """Return which units are the same as one, in the singular or the plural."""
    return units.str.strip_suffix(".").str.replace(r"^([\pL]{3,})s$", "$1") == singular(unit)


def singular(unit: str) -> str:
    """Return a unit without a point at its end, and a word of at least four letters without an s."""
    unit = unit.removesuffix(".")
    return unit[:-1] if len(unit) > 3 and unit.isalpha() and unit.endswith("s") else unit


def is_sign(unit: str) -> bool:
    """Return whether a unit is a percent sign or a currency, rather than a word."""
    return unit == "%" or bool(pl.Series([unit]).str.contains(rf"^{CURRENCY}$").all())


def other_unit(values: pl.Series, units: pl.Series) -> tuple[bool, str]:
    """Return whether numbers with units can be one column, and one whose unit differs from the first, or "".

    Beside a currency, a number without a sign may be of the same currency. It is no percentage unless it is
    0. Words are units only if all numbers have the same one, or if they are known measures.

    Args:
        values: the texts.
        units: of the texts, at least one.
    """
    unit = str(units.drop_nulls()[0])
    others = values.filter(units.is_not_null() & ~alike(units, unit))
    bare = values.filter(units.is_null())
    if is_sign(unit):
        if others.is_empty() and unit == "%":
            others = bare.filter(bare.str.contains("[1-9]"))
        return True, "" if others.is_empty() else str(others[0])
    if others.is_empty() and bare.is_empty():
        return True, ""
    known = bool(units.drop_nulls().is_in(list(MEASURES)).all())
    return known, str((others if len(others) else bare)[0])
