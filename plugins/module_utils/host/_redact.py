# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Keeping credentials out of messages, logs and results."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Callable

# A password, or what stands before the host of an HTTP address: that may be a token. The "git" of ssh://git@host is neither.
CREDENTIALS = re.compile(r"(?:(?<=http://)|(?<=https://)|(?<=://)(?=[^/\s'\"@]*:))[^/\s'\"]+@")

SHORTEST = 4
"""Characters of a value that is hidden: to hide ``1`` or ``yes`` wherever they stand would garble a log and protect nothing."""


def redactor(secrets: Iterable[str] = ()) -> Callable[[str], str]:
    """A function that hides ``secrets``, and the credentials in URLs, in a text.

    Of a secret that is a URL, the credentials and the query are hidden wherever they occur, and the host is not: which index
    did not answer has to be said.
    """
    hidden = {part for secret in secrets for part in _parts(secret) if len(part) >= SHORTEST}
    # The longest first: one secret may be a part of another.
    pattern = re.compile("|".join(re.escape(part) for part in sorted(hidden, key=len, reverse=True)) or r"(?!)")

    def redact(text: str) -> str:
        return CREDENTIALS.sub("***@", pattern.sub("***", text))

    return redact


def credentials(text: str) -> set[str]:
    """The passwords and tokens in the URLs of a text, each as such."""
    found = {part for match in CREDENTIALS.findall(text) for part in match[:-1].split(":", 1)[-1:]}
    return {part for part in found if len(part) >= SHORTEST}


def credentials_in(value: Any) -> set[str]:
    """The same for all texts in a structure of lists and dictionaries."""
    if isinstance(value, str):
        return credentials(value)
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else []
    return {part for each in inside for part in credentials_in(each)}


def _parts(secret: str) -> set[str]:
    # From the beginning of a word only: from anywhere, a key of 100 kB would take half a minute.
    urls = re.findall(r"\b\w+://\S+", secret)
    if not urls:
        return {secret.strip(), *(line.strip() for line in secret.splitlines())}
    return credentials(secret) | {url.partition("?")[2] for url in urls}
