# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Steps on their way to the host: one text, which Ansible neither templates nor looks into for secrets."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any


def pack(steps: Sequence[Mapping[str, Any]]) -> str:
    """``module``, ``register`` and ``arguments`` of each step, as a text. Each step has the apps again, so it is compressed."""
    kept = [{key: step[key] for key in ("module", "register", "arguments")} for step in steps]
    return base64.b64encode(zlib.compress(json.dumps(kept).encode())).decode()


def unpack(text: str) -> list[dict[str, Any]]:
    """The steps of such a text; none if it is empty."""
    steps: list[dict[str, Any]] = json.loads(zlib.decompress(base64.b64decode(text))) if text else []
    return steps
