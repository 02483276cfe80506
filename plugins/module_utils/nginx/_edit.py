# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Commands that change lines of nginx's configuration, so that what is printed can be run as it is, and harms nothing."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._syntax import Directive

LOAD = "nginx -t && systemctl reload-or-restart nginx"

BACKUPS = "/var/backups/nginx.XXXXXX"
"""Where a command keeps the files that it changes: a new directory for each, so that no copy replaces an earlier one."""


@dataclass(frozen=True)
class Edit:
    """A change of a file.

    :ivar path: without symlinks, since ``sed -i`` would replace one
    :ivar script: of sed(1)
    """

    path: str
    script: str


def applied(edits: Sequence[Edit | None], load: str = LOAD) -> str:
    """The command that changes files of nginx, and loads them; "" if there is nothing to change, or a change is not safe.

    If nginx rejects the result, the command puts the files back and fails. Pure.

    :param edits: None is a change that is not safe
    :param load: tests the configuration, and loads it: ``nginx -t && ...``
    """
    scripts: dict[str, list[str]] = {}
    for each in edits:
        if each is None:
            return ""
        scripts.setdefault(each.path, []).append(f"-e {shlex.quote(each.script)}")
    if not scripts:
        return ""
    copies = [
        (shlex.quote(path), f'"$b"/{shlex.quote(f"{number}-{os.path.basename(path)}")}')
        for number, path in enumerate(scripts, start=1)
    ]
    kept = " && ".join(f"cp -a {path} {copy}" for path, copy in copies)
    changes = " && ".join(f"sed -i {' '.join(found)} {shlex.quote(path)}" for path, found in scripts.items())
    restored = "; ".join(f"cp -a {copy} {path}" for path, copy in copies)
    test, _and, loading = load.partition(" && ")
    return f"b=$(mktemp -d {BACKUPS}) && {kept} && {{ {changes} && {test} || {{ {restored}; false; }}; }} && {loading}"


def removed(path: str, load: str = LOAD) -> str:
    """The command that takes a file or a symlink away, and loads the configuration. If nginx rejects that, it comes back. Pure.

    :param load: see ``applied``
    """
    test, _and, loading = load.partition(" && ")
    kept, name = shlex.quote(path), shlex.quote(os.path.basename(path))
    return f'b=$(mktemp -d {BACKUPS}) && mv {kept} "$b" && {{ {test} || {{ mv "$b"/{name} {kept}; false; }}; }} && {loading}'


def edit(file: str, line: int, old: str, new: str) -> Edit | None:
    """The change that replaces words in a line, None if it would not be safe.

    It is not where others than root can change the file, and where the words are not in the line exactly once.

    :param old: words; between them may be any blanks
    """
    path = os.path.realpath(file)
    if not _untrusted.is_roots_alone(path):
        return None
    words = old.split()
    lines = (_untrusted.text_or_none(path) or "").splitlines()
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    searched = r"[ \t]+".join(map(re.escape, words))
    if len(re.findall(rf"(?<!\w){searched}(?!\w)", text.split("#")[0])) != 1:
        return None
    pattern = "[[:blank:]][[:blank:]]*".join(map(_literal, words))
    written = re.sub(r"[&\\#]", lambda match: f"\\{match[0]}", new)
    return Edit(path, f"{line}s#{pattern}#{written}#")


def replace(file: str, line: int, old: str, new: str) -> str:
    """The command that makes one such change, and loads the configuration; "" if it would not be safe."""
    return applied([edit(file, line, old, new)])


def before(directive: Directive, new: str) -> str:
    """The command that puts something in front of a directive, "" if it would not be safe."""
    return replace(directive.file, directive.line, directive.name, f"{new} {directive.name}")


def place(directive: Directive) -> str:
    """Where a directive is, for people."""
    return f"{directive.file}:{directive.line}"


def _literal(text: str) -> str:
    return "".join(f"\\{character}" if character in ".[]*^$\\#" else character for character in text)
