# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Versions of programs, to compare. Pure."""

from __future__ import annotations

import re


def numbers(version: str) -> tuple[int, ...]:
    """The numbers in a version such as ``1.22.1`` or ``2.0.31-debian``, to compare it with another one.

    Not ansible-core's LooseVersion, which raises a TypeError when it compares ``2.0.31-debian`` with ``2.0.31.1``.
    """
    return tuple(int(part) for part in re.findall(r"\d+", version))
