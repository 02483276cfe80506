# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why a service of systemd does not run: from what systemd says of it, and from the files that it needs."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _cause_sandbox, _command_check, _server_options, _units
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._advice import Setup, homes_of
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why, then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _lasting

Unit = Mapping[str, str]

STEPS = {
    "200": "it cannot change to its working directory",
    "203": "its command cannot be executed",
    "209": "its output cannot be opened",
    "216": "its group does not exist",
    "217": "its user does not exist",
    "226": "its view of the file system cannot be set up, since a path in its settings is missing",
    "233": "its runtime directory cannot be set up",
    "238": "its state directory cannot be set up",
    "240": "its log directory cannot be set up",
}
"""The exit codes by which systemd says at which step it failed, see systemd.exec(5)."""

BUILTINS = (".", "cd", "exec", "export", "source", "set", "ulimit", "umask")
"""Words that shells understand and that are no programs."""

MISSING_ENVIRONMENT = re.compile(r"(/\S+) \(ignore_errors=no\)")
EXITED = re.compile(r"argv\[\]=(.*?) ; .*?code=(\w+) ; status=(\d+)")


def again(unit: Unit) -> str:
    """The command that starts a service, also one that has failed too often."""
    short = shlex.quote(unit.get("Id", "").removesuffix(".service"))
    if unit.get("Result") == "start-limit-hit":
        return f"systemctl reset-failed {short}; systemctl restart {short}"
    return f"systemctl restart {short}"


def why(unit: Unit, setup: Setup) -> Why | None:
    """Why a service has not started, None if its own log has to tell.

    :param setup: how it is started
    """
    state = unit.get("LoadState", "")
    name = unit.get("Id", "")
    short = shlex.quote(name.removesuffix(".service"))
    if state == "masked":
        return Why("it is masked", f"systemctl unmask {short} && systemctl enable --now {short}")
    if state in ("bad-setting", "error"):
        what = then("Correct its unit file, which systemd rejects", f"systemctl daemon-reload && systemctl restart {short}")
        return Why("systemd rejects its unit file", what, evidence=(unit.get("LoadError", ""), unit.get("FragmentPath", "")))
    if (
        unit.get("ActiveState") == "inactive"
        and unit.get("ConditionResult") == "no"
        and unit.get("ConditionTimestampMonotonic", "0") != "0"
    ):
        what = f"Make the condition true, or remove it from {unit.get('FragmentPath')}"
        return Why("systemd does not start it, since a condition of its unit (Condition...=) is not met", then(what, again(unit)))
    found = _required(unit) or _environment_file(unit) or _step(unit) or _before(unit) or _timeout(unit)
    if found:
        return found
    result = unit.get("Result", "")
    if result == "oom-kill":
        what = f"Give it more memory (MemoryMax= of {name} or of the host), or fewer workers"
        return Why("the kernel killed it, since it ran out of memory", then(what, again(unit)), code="out_of_memory")
    if result == "signal" and unit.get("ExecMainStatus") == "9":
        return Why("it was killed (SIGKILL)", again(unit))
    if result == "protocol":
        what = f"Set Type=exec in {unit.get('FragmentPath')}, or the PIDFile= that the server really writes"
        return Why(f"it did not report its start as Type={unit.get('Type')} wants", then(what, again(unit)))
    if result == "watchdog":
        return Why("it did not report to systemd's watchdog in time", then("Remove WatchdogSec= or raise it", again(unit)))
    return None


def _required(unit: Unit) -> Why | None:
    """A unit that systemd starts before this one, or not at all."""
    names = [name for key in ("Requires", "Requisite", "BindsTo") for name in unit.get(key, "").split()]
    if unit.get("ActiveState") != "inactive" or not names:
        return None
    short = shlex.quote(unit["Id"].removesuffix(".service"))
    states = _systemd.show(names, ("LoadState", "ActiveState", "Result"))
    for name in names:
        state, other = states.get(name, {}), shlex.quote(name.removesuffix(".service"))
        text = f"{name}, which it requires, "
        if state.get("LoadState") == "masked":
            return Why(f"{text}is masked", f"systemctl unmask {other} && systemctl start {short}")
        if state.get("LoadState") == "not-found":
            places = " or ".join(f"{key}=" for key in ("Requires", "Requisite", "BindsTo") if name in unit.get(key, "").split())
            what = f"Install it, or take it out of {places} in {_units.defined_in(unit, places.partition('=')[0])}"
            return Why(f"{text}does not exist", then(what, f"systemctl daemon-reload && systemctl start {short}"))
        if state.get("ActiveState") == "failed":
            what = f"Correct what its log says (journalctl -u {other} -n 50)"
            return Why(
                f"{text}has failed ({state.get('Result')})", then(what, f"systemctl restart {other} && systemctl start {short}")
            )
    return None


def _environment_file(unit: Unit) -> Why | None:
    files = MISSING_ENVIRONMENT.findall(unit.get("EnvironmentFiles", ""))
    gone = [path for path in files if not os.path.exists(path) and "*" not in path]
    if not gone or unit.get("ActiveState") == "active":
        return None
    beside = [f"{gone[0]}{end}" for end in (".example", ".sample", ".dist", ".bak", ".old") if os.path.exists(f"{gone[0]}{end}")]
    text = f"its EnvironmentFile {gone[0]} does not exist" + (f" ({beside[0]} does)" if beside else "")
    return Why(text, then(f"Restore {gone[0]} with the variables that the app needs", again(unit)), evidence=tuple(gone))


def _step(unit: Unit) -> Why | None:
    """What systemd itself could not do before the program ran."""
    code = unit.get("ExecMainStatus", "")
    if unit.get("ExecMainCode") not in ("1", "exited") or code not in STEPS:
        return None
    found: Why | None = None
    if code == "200":
        found = _directory(unit)
    elif code == "203":
        who = _command_check.identity_of(unit.get("User", ""), unit.get("Group", ""))
        path = re.search(r"path=(\S+) ;", unit.get("ExecStart", ""))
        if path and not path[1].startswith("/"):
            found = _shell_line(unit)
        elif path:
            hidden = _cause_sandbox.why_hidden(unit, path[1], "its program") if os.path.exists(path[1]) else None
            found = hidden or _command_check.why(path[1], who, again(unit))
    elif code in ("216", "217"):
        key = "User" if code == "217" else "Group"
        account = unit.get(key) or unit.get("User", "")
        text = f"its {key.lower()} {account} does not exist"
        what = f"Create the {key.lower()} {account}, or name another one ({key}=) in {_units.defined_in(unit, key)}"
        found = Why(text, then(what, f"systemctl daemon-reload && {again(unit)}"))
    if found is None:
        found = Why(STEPS[code], then("Correct what its log names", again(unit)))
    return replace(found, text=f"{found.text} (exit code {code})")


def _shell_line(unit: Unit) -> Why | None:
    """A command that only a shell understands. Pure."""
    words = _units.command(unit)
    if not words or (words[0] not in BUILTINS and not {"&&", "||", "|", ";", ">", ">>"} & set(words)):
        return None
    text = f"its command is a line for a shell, which systemd does not start: {words[0]} is no program"
    what = (
        f"Write the full path of the server in ExecStart= in {_units.defined_in(unit, 'ExecStart')}, or /bin/sh -c with the line"
    )
    return Why(text, then(what, f"systemctl daemon-reload && {again(unit)}"), evidence=(" ".join(words)[:200],))


def _directory(unit: Unit) -> Why | None:
    path = _units.directory(unit)
    if not path:
        return None
    if os.path.isdir(path):
        hidden = _cause_sandbox.why_hidden(unit, path, "its working directory")
        if hidden:
            return hidden
        who = _command_check.identity_of(unit.get("User", ""), unit.get("Group", ""))
        closed = _command_check.closed_directory(path, who)
        if not closed or who is None:
            return None
        what = then(f"Give {who.user} search permission on {closed}", again(unit))
        return Why(f"its user {who.user} may not enter {closed}, which is on the way to its working directory", what)
    text = f"its working directory {path} does not exist"
    place = _project(unit)
    if place and re.fullmatch(r"/[\w./@+-]+", place):
        fix = _lasting.drop_in(unit["Id"], "working-directory", f"WorkingDirectory={place}")
        return Why(f"{text}; the app that its command names is in {place}", fix, evidence=(path, place))
    return Why(
        text,
        then(f"Restore it, or correct WorkingDirectory= in {_units.defined_in(unit, 'WorkingDirectory')}", again(unit)),
        evidence=(path,),
    )


def _project(unit: Unit) -> str:
    """The one directory above the program from which the app can be imported, "" if that is not certain."""
    words = _units.command(unit)
    module = _server_options.Options("gunicorn").module(words)
    program = words[0] if words else ""
    if not module or "/" not in program:
        return ""
    above = os.path.dirname(os.path.dirname(os.path.dirname(program)))
    found = homes_of(module, above) if above.count("/") > 1 else []
    return found[0] if len(found) == 1 else ""


def _before(unit: Unit) -> Why | None:
    """A command of ExecStartPre= that has failed."""
    for command, _code, status in EXITED.findall(unit.get("ExecStartPre", "")):
        if status != "0" and unit.get("ActiveState") != "active" and "ignore_errors=no" in unit.get("ExecStartPre", ""):
            text = f"its command before the start (ExecStartPre=) ended with code {status}"
            return Why(text, then("Correct that command, or remove it", again(unit)), evidence=(command[:200],))
    return None


def _timeout(unit: Unit) -> Why | None:
    """A service that runs, and never says so in the way that its Type= wants."""
    kind = unit.get("Type", "")
    starting = unit.get("ActiveState") == "activating" and unit.get("SubState") == "start"
    if kind not in ("forking", "notify", "dbus") or not (unit.get("Result") == "timeout" or starting):
        return None
    means = (
        "waits until the server goes to the background, which it does not"
        if kind == "forking"
        else "waits for a message of the server, which it does not send"
    )
    text = f"systemd kills it after its start timeout: Type={kind} {means}"
    return Why(text, _lasting.drop_in(unit["Id"], "type", "Type=exec"), evidence=(f"Type={kind}",), code="unit_type")
