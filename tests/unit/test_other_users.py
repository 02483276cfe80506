# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing runs a program as another user but ``host._sandbox``, and nothing starts one but ``host._command``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2] / "plugins"
FILES = sorted(path for part in ("module_utils", "modules") for path in (HERE / part).rglob("*.py"))

ALLOWED = {
    "host/_command.py": {"subprocess"},
    "host/_control_group.py": {"subprocess", "systemd-run"},  # a shell of root's, which waits for the end of its parent
    "host/_environment.py": {"setpriv"},  # for the signal at the end of the parent
    "host/_sandbox.py": {"setpriv", "--reuid", "systemd-run"},
    "host/_mounts.py": {"setpriv", "--reuid", "execv"},  # the launcher of a slot, which supervisord runs
    "socket_access/_inside.py": {"setgroups", "setresgid", "setresuid"},  # root's own program, which nobody can replace then
}

STARTING = ("subprocess", "pty", "multiprocessing")
PROGRAMS = ("setpriv", "runuser", "su", "sudo", "systemd-run")
IDENTITY = ("preexec_fn", "extra_groups")


def changes(code: str) -> set[str]:
    """What in a text starts programs, or changes as whom something runs."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in STARTING}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} if node.module in STARTING else set()
        elif isinstance(node, ast.Attribute):
            name = node.attr
            calls = ("fork", "forkpty", "popen", "system", "initgroups", "setgroups")
            of_os = isinstance(node.value, ast.Name) and node.value.id == "os"
            found |= {name} if of_os and (name in calls or name.startswith(("exec", "spawn", "posix_spawn"))) else set()
            found |= {name} if of_os and name.startswith("set") and name.endswith(("uid", "gid")) and name != "setpgid" else set()
        elif isinstance(node, ast.keyword) and node.arg in IDENTITY:
            found.add(node.arg)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            option = node.value.partition("=")[0]
            found |= {option} if option in ("--reuid", "--ruid") or option in PROGRAMS else set()
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_nothing_runs_as_another_user_but_by_the_helper(path):
    allowed = ALLOWED.get("/".join(path.parts[-2:]), set())
    found = changes(path.read_text(encoding="utf-8"))
    assert found == allowed


def test_such_a_call_is_found():
    called = ["subprocess.run(x, extra_groups=[])", "os.setuid(1)", "os.execv(x)", "run(['runuser', '--reuid=1'])", "os.fork()"]
    code = "import subprocess\n" + "\n".join(called)
    assert changes(code) == {"subprocess", "extra_groups", "setuid", "execv", "runuser", "--reuid", "fork"}
