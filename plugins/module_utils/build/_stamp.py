# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What a build says of itself."""

from __future__ import annotations

import json
import os
from typing import Any

STAMP = "build.json"
"""The file that is written last: a build without it is what a killed run left."""


def read_stamp(path: str) -> dict[str, Any] | None:
    """What ``build.json`` of a build says, if the build is complete."""
    try:
        with open(os.path.join(path, STAMP), encoding="utf-8") as stream:
            return json.load(stream)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
