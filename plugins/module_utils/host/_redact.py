# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Keeping credentials out of messages, logs and results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Callable

# A password, or what stands before the host of an HTTP address: that may be a token. The "git" of ssh://git@host is neither.
CREDENTIALS = re.compile(r"(?:(?<=http://)|(?<=https://)|(?<=://)(?=[^/\s'\"@]*:))[^/\s'\"]+@")

SHORTEST = 4
"""Characters of a value that is hidden: to hide ``1`` or ``yes`` wherever they stand would garble a log and protect nothing."""

SHORTEST_OF_FILE = 8
"""The same for what is in a file: most of its words are no secrets."""

ASSIGNED = re.compile(r"([\w.-]{0,64})[\"']?\s{0,8}[=:]\s*[\"']?([^\s\"'=:,;]+)")
"""A name, "" if there is none, and a value in a line of a configuration file."""

SECRET_NAME = re.compile(
    r"pass|pwd|secret|token|credential|apikey|private|salt|cookie|session|sign|licen[cs]e|webhook|dsn|auth|cert|jwt|hmac|crypt"
    r"|cipher|vault|bearer|key$|(?:^|_)(?:pw|keys?|pin|otp|seed|code|hash|iv|sid)(?:_|$)",
    re.IGNORECASE,
)
"""In names of variables with a secret. It covers too much rather than too little: then a word of a message is hidden."""

ORDINARY_NAME = re.compile(
    r"(?:^|_)(?:hosts?|hostname|port|user|username|name|db|database|env|environment|mode|debug|level|module|settings|lang|language"
    r"|locale|tz|timezone|dir|directory|path|root|home|domains?|region|engine|backend|driver|timeout|workers|threads|prefix"
    r"|scheme|protocol|version|format|bucket|queue|app|config|conf|file|names)$",
    re.IGNORECASE,
)
"""The ends of names of variables whose value may be shown, if it is as simple as ``ORDINARY_VALUE``."""

ORDINARY_VALUE = re.compile(r"[A-Za-z0-9_.,*/ -]{1,100}(?::[0-9]{1,5})?")

ORDINARY_WORDS = frozenset(
    "production prod staging development develop testing test local localhost demo live default debug info warning error critical"
    " true false none null always never auto enabled disabled console json postgres postgresql mysql mariadb sqlite sqlite3 redis"
    " memcached rabbitmq amqp celery django flask fastapi smtp http https require prefer utf-8 c.utf-8".split()
)
"""Values that are hidden only if the name of their variable says that it has a secret: as a password, they are none."""


def secret_values(variables: Mapping[str, str]) -> list[str]:
    """The values of variables that may be secret: all but those of which the name or the value says that they are not."""
    return [value for name, value in variables.items() if not _ordinary(name, value)]


def _ordinary(name: str, value: str) -> bool:
    if SECRET_NAME.search(name) or _keys(value):
        return False
    return value.lower() in ORDINARY_WORDS or bool(ORDINARY_NAME.search(name) and ORDINARY_VALUE.fullmatch(value))


def redactor(secrets: Iterable[str] = ()) -> Callable[[str], str]:
    """A function that hides ``secrets``, and the credentials in URLs, in a text.

    Of a secret that is a URL, the credentials, the query and what looks like a key in the path are hidden wherever they occur,
    and the host is not: which index did not answer has to be said.
    """
    hidden = {part for secret in secrets for part in _parts(secret) if len(part) >= SHORTEST}
    # The longest first: one secret may be a part of another.
    pattern = re.compile("|".join(re.escape(part) for part in sorted(hidden, key=len, reverse=True)) or r"(?!)")

    def redact(text: str) -> str:
        return CREDENTIALS.sub("***@", pattern.sub("***", text))

    return redact


def of_files(files: Mapping[str, str]) -> set[str]:
    """What of the contents of files a log must not show: lines, and what is assigned in them, if long enough to be a secret."""
    lines = {line.strip() for content in files.values() for line in content.splitlines()}
    values = {found[2] for line in lines for found in ASSIGNED.finditer(line) if not _ordinary(*found.groups())}
    return {part for part in lines | values if len(part) >= SHORTEST_OF_FILE}


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
    keys = {key for url in urls for key in _keys(url.partition("://")[2].partition("?")[0].partition("/")[2])}
    return credentials(secret) | keys | {url.partition("?")[2] for url in urls}


def _keys(text: str) -> list[str]:
    """What looks generated: long, without blanks, with letters and digits, such as a key or a digest."""
    long = re.findall(r"[A-Za-z0-9_+=-]{16,}", text)
    return [word for word in long if re.search("[0-9]", word) and re.search("[A-Za-z]", word)]
