# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What nginx logged about a site, explained with what is known of the host."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import replace

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _log_lines, _static_files
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._logs import LogLine
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _identity

TEMPORARY = re.compile(r"body|proxy|uwsgi|fastcgi|scgi|\w+_temp")
"""The names of nginx' directories for temporary files."""

Explain = Callable[[Iterable[LogLine]], "list[Finding]"]


def reader(configuration: str) -> Explain:
    """A function that explains lines.

    :param configuration: the text of nginx' configuration, as ``nginx -T`` prints it
    """
    served = _static_files.roots(configuration)
    setfacl = bool(shutil.which("setfacl", path="/usr/local/bin:/usr/bin:/bin"))
    try:
        who = _identity.of_nginx()
    except StackError:
        who = None

    def explain(lines: Iterable[LogLine]) -> list[Finding]:
        def judge(path: str) -> Finding | None:
            return _static_files.judge(path, served, who, setfacl) if who else None

        found = _log_lines.of_nginx(lines, judge, who.user if who else "www-data")
        return [_with_all(finding, who) if finding.code == "nginx_temporary_files" and who else finding for finding in found]

    return explain


def _with_all(finding: Finding, who: _identity.Identity) -> Finding:
    """The finding with a fix for all directories of the kind, not only the one that the log names."""
    above = os.path.dirname(finding.fix.split()[-1])
    names = [name for name in _untrusted.entries(above) if TEMPORARY.fullmatch(name)]
    paths = [path for name in names for path in [f"{above}/{name}"] if _owner(path) not in (-1, who.uid)]
    return replace(finding, fix=f"chown -R -h {shlex.quote(who.user)} {' '.join(map(shlex.quote, paths))}") if paths else finding


def _owner(path: str) -> int:
    try:
        found = os.lstat(path)
    except OSError:
        return -1
    return found.st_uid if stat.S_ISDIR(found.st_mode) else -1
