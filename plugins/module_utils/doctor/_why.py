# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why a server does not run, as far as its files, its manager and its log tell."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils.host import _display


@dataclass(frozen=True)
class Why:
    """A cause.

    :ivar text: the cause as the second half of a sentence, without its full stop
    :ivar fix: a command for root's shell, or a sentence, which begins with a capital letter and ends with a full stop
    :ivar quick_fix: a command that helps meanwhile, if the fix takes longer
    :ivar evidence: lines of what was seen
    :ivar code: of the finding, "" for that of the symptom
    """

    text: str
    fix: str = ""
    quick_fix: str = ""
    evidence: tuple[str, ...] = ()
    code: str = ""


DAEMON = Why(
    "its server goes to the background (daemon, daemonize, or & in a script), so that it is taken for ended and is killed",
    code="server_daemonizes",
)
"""A server that leaves the one that supervises it."""


def then(what: str, command: str) -> str:
    """A fix that is a sentence: what to do by hand, and the command that comes after it.

    :param what: begins with a capital letter, has no full stop
    :param command: "" if nothing has to be run
    """
    what = _display.inert(what)
    return f"{what}, then run: {command}." if command else f"{what}."


def applied(path: str, restart: str) -> str:
    """The command by which an app takes a change of a file, "" if that takes more than one can know. Pure.

    :param restart: the command that restarts it
    """
    if path.endswith(".socket"):
        return ""
    if restart.startswith("supervisorctl restart ") and "/supervisor" in path:
        return restart.replace(" restart ", " update ").partition(":")[0]
    return f"systemctl daemon-reload && {restart}" if "/systemd/" in path and restart.startswith("systemctl ") else restart


def is_sentence(fix: str) -> bool:
    """Whether a fix is a sentence, not a command."""
    return fix[:1].isupper() and fix.endswith(".")
