# SPDX-License-Identifier: GPL-3.0-or-later
"""Running untrusted code: as a user that exists only for that time, with a /tmp of its own."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.host._command import TIMED_OUT, Completed, run

GRACE = 30  # seconds until SIGKILL


def run_script(script: str, output: str, timeout: int, network: bool = False) -> Completed:
    """Run a shell script in a transient systemd service, see DynamicUser= in systemd.exec(5).

    It starts in an empty ``/tmp`` of its own and can write nowhere else. The shell reads it from a pipe: every user of the host
    can read arguments, and the variables of a service.

    :param script: its stdin is empty, its descriptor 3 is ``output``, and its stdout and stderr are in the result
    :param output: a file that belongs to root; created or overwritten
    :param timeout: seconds after which it is killed
    :param network: whether it may use the network
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
    # In braces, so that the shell reads all of it before it runs any of it.
    text = f"{{\nset -eu\nexec 3>&1 >&2 </dev/null\n{script}\nexit\n}}\n"
    completed = run(
        ["sh", "-c", 'exec "$@" >"$0"', output, *service, *limit, "sh", "-s"], stdin=text.encode(), timeout=timeout + 2 * GRACE
    )
    if completed.code == TIMED_OUT:
        return Completed(completed.argv, TIMED_OUT, f"{completed.output}\nit did not end within {timeout} s")
    return completed
