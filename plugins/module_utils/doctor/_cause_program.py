# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why a program of supervisor does not run. Files are looked at, and nothing is run."""

from __future__ import annotations

import os
import re
import shlex

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _command_check
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import Why, then
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import (
    _starter_programs,
    _starter_units,
    _supervisor_files,
)
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starter_programs import (
    Program,
    ProgramState,
    Supervisor,
)

EXPRESSION = re.compile(r"%%|%\(\w+\)[-#0 +]*\d*[sdi]")
"""What supervisor replaces in a value."""

FORMAT = re.compile(
    r"Format string .* for '([\w-]{1,40})' is badly formatted: .* in section '[^']*' \(file: '(/[\w./@+-]{1,200})'\)"
)
"""What supervisord says of a ``%`` in a value that it takes for an expression. The value may be a secret."""

LENGTH = 300
"""Characters kept of what supervisord says."""

START = "systemctl enable --now supervisor"

ENDED = ("BACKOFF", "EXITED", "FATAL", "UNKNOWN", "STARTING")


def again(name: str, program: Program | None, verb: str = "start") -> str:
    """The command that starts a program.

    :param verb: ``restart`` if it runs
    """
    return f"{_starter_programs.control(program.main if program else _starter_programs.MAIN[0])} {verb} {shlex.quote(name)}"


def updated(program: Program) -> str:
    """The command that makes supervisor read a program's file again, and starts what has changed, of this program alone."""
    return f"{_starter_programs.control(program.main)} update {shlex.quote(program.group)}"


def is_outdated(program: Program, state: ProgramState) -> bool:
    """Whether supervisord runs another command than the one in its file. Pure."""
    if not state.command or not program.options.get("command"):
        return False
    file = program.options["command"].split()
    directory = program.options.get("directory", "")
    return "%(" not in program.options["command"] and (file != state.command.split() or directory != state.directory)


def judge(
    name: str, supervisor: Supervisor, address: str, served: bool, log: Why | None, lines: tuple[str, ...], refusal: str = ""
) -> list[Finding]:
    """Judge the program that should listen on an address.

    :param served: whether a process listens there
    :param log: what its log says
    :param lines: the last errors in its log
    :param refusal: why supervisord does not start, as it says itself; "" if it says nothing
    """
    program, state = supervisor.programs.get(name), supervisor.states.get(name)
    what = f"The supervisor program {name}, which should listen on {address},"
    file = program.file if program else ""
    if not supervisor.answers:
        return [] if served else [_silent(what, refusal)]
    rejected = _rejected(program) if program and not served else ""
    if rejected:
        message = f"{what} cannot be read: supervisor takes the % in its option {rejected} for an expression."
        fix = then(f"Write two % for each one in {rejected} in {file}", updated(program) if program else "")
        return [Finding(BROKEN, "program_not_read", message, (file,), fix)]
    if program and state is None:
        message = f"{what} is not known to supervisord: it has not read {file}."
        return [] if served else [Finding(BROKEN, "program_not_read", message, (file,), updated(program))]
    if program and state and is_outdated(program, state):
        message = f"supervisord has not read {file} again since it was changed: it runs {name} with another command."
        differing = (f"in the file: {program.options['command']}", f"in memory: {state.command}")
        return [Finding(WARNING if served else BROKEN, "program_not_read", message, differing, updated(program))]
    if state is None or served:
        return _at_boot(program, name, address) if served and program else []
    seen: tuple[str, ...] = (f"{name}: {state.state} {state.error}".strip(), *lines)
    if state.state == "STOPPED":
        late = " and is not started at boot (autostart)" if program and not program.starts_at_boot else ""
        return [Finding(BROKEN, "program_stopped", f"{what} is STOPPED{late}.", seen, again(name, program))]
    if state.state == "RUNNING":
        log = log or Why("it may still be starting", again(name, program, "restart"))
        return [
            Finding(BROKEN, "program_failed", f"{what} is running, but does not: {log.text}.", (*seen, *log.evidence), log.fix)
        ]
    if state.state not in ENDED:
        return []
    directory = program.options.get("directory", "") if program else ""
    if directory.startswith("/") and not os.path.isdir(directory):
        fix = then(f"Correct directory= in {file}, or restore {directory}", updated(program) if program else "")
        return [
            Finding(BROKEN, "program_failed", f"{what} is {state.state}: its directory {directory} does not exist.", seen, fix)
        ]
    ended = "does not stay up" if state.state in ("STARTING", "BACKOFF") else f"is {state.state}"
    cause = (_command(program, state, name) if "command" in state.error or "execut" in state.error else None) or log
    if cause is None:
        said = f": {state.error.rstrip('.')}" if state.error else ""
        where = state.logs[0] if state.logs else "its log"
        fix = then(f"Correct what {where} says", again(name, program))
        return [Finding(BROKEN, "program_failed", f"{what} {ended}{said}.", seen, fix)]
    message = f"{what} {ended}: {cause.text}."
    return [
        Finding(BROKEN, cause.code or "program_failed", message, (*seen, *cause.evidence), cause.fix, quick_fix=cause.quick_fix)
    ]


def _rejected(program: Program) -> str:
    """The option of a program whose value supervisor does not understand, so that it refuses to read its files again."""
    section = _supervisor_files.programs(_untrusted.configuration(program.file)).get(
        program.name.partition(":")[2] or program.name, {}
    )
    return next((name for name, value in section.items() if "%" in EXPRESSION.sub("", value)), "")


def _silent(what: str, refusal: str) -> Finding:
    percent = FORMAT.search(refusal)
    why, fix = "no supervisord answers", START
    if percent:
        why = f"supervisord does not start, since it takes the % in the option {percent[1]} in {percent[2]} for an expression"
        fix = then(f"Write two % for each one in {percent[1]} in {percent[2]}", START)
    elif refusal:
        said = re.sub(r"Format string .* for (?=')", "Format string for ", refusal)[:LENGTH].rstrip(".")
        why, fix = f"supervisord does not start: {said}", then("Correct that in the files of supervisor", START)
    return Finding(BROKEN, "supervisor_stopped", f"{what} does not run: {why}.", (), fix)


def _at_boot(program: Program, name: str, address: str) -> list[Finding]:
    if program.starts_at_boot:
        return []
    message = f"The supervisor program {name} runs, but is not started at boot (autostart): nothing will listen on {address}."
    fix = then(f"Set autostart=true in {program.file}", updated(program))
    return [Finding(WARNING, "program_not_enabled", message, (program.file,), fix)]


def _command(program: Program | None, state: ProgramState, name: str) -> Why | None:
    """Why supervisord cannot start the command; the other environment that has it, if that is certain."""
    words = _starter_units.words(state.command or (program.options.get("command", "") if program else ""))
    if not words or not words[0].startswith("/"):
        return None
    user = program.options.get("user", "") if program else ""
    again_ = again(name, program)
    found = _command_check.why(words[0], _command_check.identity_of(user), again_)
    if found is None:
        return None
    others = _command_check.other_environments(words[0])
    if program and not os.path.lexists(words[0]) and len(others) == 1:
        edit = _replaced(program, words[0], others[0])
        if edit:
            return Why(found.text, f"{edit} && {updated(program)}", evidence=found.evidence)
    return found


def _replaced(program: Program, old: str, new: str) -> str:
    """The command that names another program in supervisor's file; "" if others than root can change the file."""
    file = os.path.realpath(program.file)
    plain = all(all(character.isalnum() or character in "/._-+@" for character in path) for path in (old, new))
    if not plain or not _untrusted.is_roots_alone(file) or old not in _untrusted.configuration(file):
        return ""
    script = shlex.quote(f"s#{old.replace('.', chr(92) + '.')}#{new}#")
    return f"sed -i {script} {shlex.quote(file)}"
