# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Whether the entry point of an app can be imported."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import TIMED_OUT
from ansible_collections.wsgi.stack.plugins.module_utils.host._sandbox import Sandbox

IMPORT_TIMEOUT = 120
"""Seconds that an entry point may take to be imported."""

# Import the module, then walk to the callable: what every server does at its start.
IMPORT_CHECK = """
import importlib, sys
module, path = sys.argv[1].split(":")
found = importlib.import_module(module)
for name in path.split("."):
    found = getattr(found, name)
if not callable(found):
    raise TypeError(f"{sys.argv[1]} is not callable")
"""


def check(app: App, runner: list[str], sandbox: Sandbox) -> None:
    """Import it as the app's user.

    :param runner: the beginning of a command line that runs a program in a release
    :raises StackError: it cannot be imported
    """
    done = sandbox.run([[*runner, "python", "-c", IMPORT_CHECK, app["entry_point"]]], timeout=IMPORT_TIMEOUT)
    if done.code:
        cause = (
            f"it takes more than {IMPORT_TIMEOUT} s" if done.code == TIMED_OUT else decisive_line(done.output) or done.last_line
        )
        raise StackError(
            "import",
            f"entry_point {app['entry_point']} cannot be imported: {cause};"
            " fix the code, its requirements or its environment. The running release is unchanged.",
            done.output,
        )
