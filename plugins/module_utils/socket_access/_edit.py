# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Commands that set one option in a uWSGI configuration, as a user who can change nothing else by that."""

from __future__ import annotations

import re
import shlex

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _inside, _walk

VALUE = re.compile(r"[\w./@:+-]{1,200}")


def set_option(path: str, name: str, value: str) -> str:
    """The command that sets an option in an INI file; "" if it would not be safe, or if the file is none of uWSGI's.

    It runs as the owner of the file, or as root where only root can replace the file.
    """
    text = _untrusted.configuration(path) if path.endswith(".ini") else ""
    if not VALUE.fullmatch(value) or not re.search(r"^\[uwsgi\][ \t]*$", text, re.MULTILINE):
        return ""
    steps = _inside.walk(path)
    last = steps[-1]
    user = _walk.editor(steps, last) if last.get("kind") == "file" else None
    if user is None:
        return ""
    script = f"/^\\[uwsgi\\]/a {name} = {value}"
    if re.search(rf"^[ \t]*{re.escape(name)}[ \t]*=", text, re.MULTILINE):
        script = f"s#^[[:space:]]*{name}[[:space:]]*=.*#{name} = {value}#"
    return _accounts.as_user(user, f"sed -i {shlex.quote(script)} {shlex.quote(last['path'])}")
