# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx logged about a site, explained with what is known of the host."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _log_lines, _static_files
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._logs import LogLine
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _identity

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

        return _log_lines.of_nginx(lines, judge, who.user if who else "www-data")

    return explain
