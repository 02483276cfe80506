# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Commands that change one line of nginx's configuration, so that what is printed can be run as it is."""

from __future__ import annotations

import os
import re
import shlex

from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._syntax import Directive

LOAD = "nginx -t && systemctl reload-or-restart nginx"


def replace(file: str, line: int, old: str, new: str, load: bool = True) -> str:
    """The command that replaces words in a line, and loads the configuration; "" if it would not be safe.

    It is not where others than root can change the file, and where the words are not in the line exactly once.

    :param old: words; between them may be any blanks
    """
    path = os.path.realpath(file)  # sed -i would replace a symlink
    if not _untrusted.is_roots_alone(path):
        return ""
    words = old.split()
    lines = (_untrusted.text_or_none(path) or "").splitlines()
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    searched = r"[ \t]+".join(map(re.escape, words))
    if len(re.findall(rf"(?<!\w){searched}(?!\w)", text.split("#")[0])) != 1:
        return ""
    pattern = "[[:blank:]][[:blank:]]*".join(map(_literal, words))
    written = re.sub(r"[&\\#]", lambda match: f"\\{match[0]}", new)
    command = f"sed -i {shlex.quote(f'{line}s#{pattern}#{written}#')} {shlex.quote(path)}"
    return f"{command} && {LOAD}" if load else command


def before(directive: Directive, new: str) -> str:
    """The command that puts something in front of a directive, "" if it would not be safe."""
    return replace(directive.file, directive.line, directive.name, f"{new} {directive.name}")


def place(directive: Directive) -> str:
    """Where a directive is, for people."""
    return f"{directive.file}:{directive.line}"


def _literal(text: str) -> str:
    return "".join(f"\\{character}" if character in ".[]*^$\\#" else character for character in text)
