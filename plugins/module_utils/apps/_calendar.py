# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Calendar events as systemd.time(7) describes them, checked on the controller, which may have no systemd. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

SHORTHANDS = frozenset("minutely hourly daily weekly monthly quarterly semiannually yearly annually".split())

DAYS_OF_WEEK = "monday tuesday wednesday thursday friday saturday sunday".split()
ZONE = re.compile(r"UTC|[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)+|[A-Z]{3}")
"""A time zone: UTC, one of a region such as Europe/Berlin, or an abbreviation; the host says whether it knows it."""

NUMBER = r"([0-9]+(?:\.[0-9]{1,6})?)"
ELEMENT = re.compile(rf"{NUMBER}(?:\.\.{NUMBER})?(?:/{NUMBER})?")

MONTHS, DAYS, HOURS, MINUTES, SECONDS = (1, 12), (1, 31), (0, 23), (0, 59), (0, 59)


def valid(event: str) -> bool:
    """Whether a text is a calendar event, such as ``daily`` or ``Mon..Fri *-*-* 03:30:00 Europe/Berlin``."""
    words = [word for word in event.split(" ") if word] if event.isascii() else []
    if len(words) > 1 and ZONE.fullmatch(words[-1]) and not _weekdays(words[-1]):
        words.pop()
    if len(words) == 1 and words[0].lower() in SHORTHANDS:
        return True
    count = len(words)
    for part in (_weekdays, _date, _time):
        if words and part(words[0]):
            words.pop(0)
    return count > 0 and not words


def _weekdays(text: str) -> bool:
    ranges = [re.split(r"\.\.|-", part.lower()) for part in text.split(",")]
    days = [[_day(word) for word in part] for part in ranges]
    return all(len(part) < 3 and -1 not in part and part == sorted(part) for part in days)


def _day(word: str) -> int:
    """The number of a day of the week, -1 if it is none."""
    return next((at for at, day in enumerate(DAYS_OF_WEEK) if word in (day, day[:3])), -1)


def _date(text: str) -> bool:
    found = re.fullmatch(r"(?:([^-~]+)-)?([^-~]+)[-~]([^-~]+)", text)
    if not found:
        return False
    year, month, day = found.groups("*")
    return (_numbers(year, 0, 99) or _numbers(year, 1970, 2199)) and _numbers(month, *MONTHS) and _numbers(day, *DAYS)


def _time(text: str) -> bool:
    parts = text.split(":")
    if len(parts) not in (2, 3):
        return False
    whole = all(_numbers(part, *limits) for part, limits in zip(parts, (HOURS, MINUTES)))
    return whole and (len(parts) == 2 or _numbers(parts[2], *SECONDS, fractions=True))


def _numbers(text: str, low: int, high: int, fractions: bool = False) -> bool:
    """Whether a text is ``*``, or a list of numbers and ranges, each possibly repeated, as ``1,10..15,20/5``."""
    if text == "*":
        return True
    for element in text.split(","):
        found = ELEMENT.fullmatch(element)
        if not found or ("." in element.replace("..", "") and not fractions):
            return False
        numbers = [Decimal(number) for number in found.groups()[:2] if number]
        inside = numbers == sorted(numbers) and all(low <= number < high + 1 for number in numbers)
        if not inside or not Decimal(found[3] or 1):
            return False
    return True
