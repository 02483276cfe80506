# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Credentials in URLs: taken out of arguments, which all users of a host can read, and handed over in files. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from ansible_collections.wsgi.stack.plugins.module_utils.host._redact import CREDENTIALS

WEB = re.compile(r"\b(https?)://([^/\s'\"@:]*)(?::([^/\s'\"]*))?@([^/\s'\"?#@]+)")
"""The scheme, the user, the password and the host of a URL with credentials."""

GIT_WEB = re.compile(r"\bgit\+https?://\S+")

NETRC = re.compile(r"(?![\"#])[^\s\\]+")
"""A value that every reader of a netrc file takes as it is."""


def without(text: str) -> str:
    """A text without the credentials in its URLs; the user of an SSH address stays."""
    return CREDENTIALS.sub(lambda match: _user(match) if text[: match.start()].endswith("ssh://") else "", text)


def _user(match: re.Match[str]) -> str:
    return match[0].split(":")[0].rstrip("@") + "@"


def of_git(requirement: str) -> list[str]:
    """The URLs in a requirement that git is to fetch."""
    return [url[len("git+") :] for url in GIT_WEB.findall(requirement)]


def git_store(urls: Iterable[str]) -> str:
    """The file of git-credential-store(1) for some URLs; what is in it goes to no other host than its own."""
    found = [match for url in urls for match in WEB.finditer(url)]
    return "".join(f"{match[1]}://{match[2]}:{match[3] or ''}@{match[4]}\n" for match in found)


def netrc(urls: Iterable[str]) -> str:
    """A netrc file for some URLs.

    :raises ValueError: a user or a password cannot be in such a file; the host is named
    """
    lines = {}
    for match in (match for url in urls for match in WEB.finditer(url)):
        host = match[4].rpartition(":")[0] if re.search(r":\d+$", match[4]) else match[4]
        # A token alone is a user without a password, which such a file cannot have; who takes tokens looks at no password.
        login, password = unquote(match[2]), unquote(match[3] or "") or "x-oauth-basic"
        if not (NETRC.fullmatch(login) and NETRC.fullmatch(password)):
            raise ValueError(host)
        lines[host] = f"machine {host} login {login} password {password}\n"
    return "".join(lines.values())
