# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx writes of what is wrong, read. Pure."""

from __future__ import annotations

import re

# nginx writes the same with the time before its configuration names a log, and with its own name before it.
NGINX = re.compile(r"^(?:nginx:|[0-9/]+ [0-9:]+) \[(?:emerg|alert|crit)\] (?:\d+#\d+: )?(.+)$", re.MULTILINE)


def last_error(log: str) -> str | None:
    """The last error in a log of nginx that says a cause."""
    # After five tries to take a port nginx says "still could not bind()", and no longer which.
    errors = [words for words in NGINX.findall(log) if not words.startswith("still could not bind")]
    return errors[-1] if errors else None
