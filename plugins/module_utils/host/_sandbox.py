# SPDX-License-Identifier: GPL-3.0-or-later
"""Running what is not to be trusted with anything: as a user that exists only meanwhile, with a /tmp that goes with it."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run

GRACE = 30  # seconds


def run_script(script: str, output: str, timeout: int, network: bool = False) -> Completed:
    """Run a shell script in a transient service of systemd's, see DynamicUser= in systemd.exec(5).

    It begins in an empty ``/tmp`` of its own, and can write nowhere else. It gets to the shell by a pipe, because what is in
    arguments, and in the variables of a service, can be read by every user of the host.

    :param script: what it reads from descriptor 0 is nothing, what it writes to descriptor 3 goes to ``output``, and the rest
        is in the result
    :param output: a file of root's, made or overwritten
    :param timeout: seconds, after which it is killed
    """
    properties = {
        "DynamicUser": "yes",
        "WorkingDirectory": "/tmp",
        "PrivateNetwork": "no" if network else "yes",
        "RuntimeMaxSec": str(timeout + GRACE),
        "UMask": "0022",
    }
    service = [
        "systemd-run",
        "--quiet",
        "--wait",
        "--pipe",
        "--collect",
        *(f"-p{key}={value}" for key, value in properties.items()),
    ]
    limit = ["timeout", f"--kill-after={GRACE}", str(timeout)]
    # In braces, the shell has read all of it before it begins with it.
    text = f"{{\nset -eu\nexec 3>&1 >&2 </dev/null\n{script}\nexit\n}}\n"
    completed = run(
        ["sh", "-c", 'exec "$@" >"$0"', output, *service, *limit, "sh", "-s"], stdin=text.encode(), timeout=timeout + 2 * GRACE
    )
    if completed.code == 124:
        return Completed(completed.argv, 124, f"{completed.output}\nit did not end within {timeout} s")
    return completed
