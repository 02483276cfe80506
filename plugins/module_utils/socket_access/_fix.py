# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The smallest change that gives a user access to a socket, as a command for root, and how to make it permanent."""

from __future__ import annotations

import os
import shlex

from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _display, _systemd, _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.host._accounts import group_name, user_name
from ansible_collections.wsgi.stack.plugins.module_utils.host._acl import SEARCH, WRITE
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _edit
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _lasting, _verdict, _walk
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Evidence, Verdict
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._owner import short
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._walk import Refusal, Step

PUBLIC = (
    "/",
    "/etc",
    "/home",
    "/mnt",
    "/opt",
    "/run",
    "/srv",
    "/usr",
    "/var",
    "/var/lib",
    "/var/run",
    "/var/www",
    "/tmp",
    "/var/tmp",
)
"""Directories that are world-searchable on every Debian; a closed one is a mistake."""

DROP_IN = "socket-access.conf"
OPENED = {"PrivateTmp": "no", "ProtectHome": "read-only"}
"""Settings of systemd.exec(5) that let a service see a hidden socket. Connecting works on a read-only file system."""

ACTUAL = "the socket that the server listens on (list them with ss -xl)"
MANUAL = {
    "missing": f"Start the server that should listen there, or configure nginx to use {ACTUAL}.",
    "refused": f"Start the server that should listen there, or configure nginx to use {ACTUAL}.",
    "dangling_link": f"Start the server that should listen at the symlink's target, or point the symlink to {ACTUAL}.",
    "link_loop": f"Point the symlink to {ACTUAL}.",
    "trailing_slash": "Remove the slash at the end of the address in nginx's configuration.",
    "not_a_socket": "Move that away, and start the server that should listen there.",
    "wrong_socket_type": f"Configure the server to use a stream socket, or configure nginx to use {ACTUAL}.",
    "wrong_protocol": "Use the server's protocol in nginx: proxy_pass for HTTP, uwsgi_pass for the uwsgi protocol.",
    "no_http": "Use the server's protocol in nginx, or an address where a server speaks HTTP or the uwsgi protocol.",
    "unresolvable": "Correct the host name, or this host's name resolution.",
    "no_route": "Correct the address, or the route to it.",
    "connect_timeout": "Start the server that should listen there, and open the port in the firewalls on the way.",
    "denied_by_policy": "Find the denial in the kernel's log (journalctl -k) and correct the AppArmor or SELinux policy.",
    "failed": "Fix the error that is named.",
}
"""What to do where no command is known."""

PERMISSIONS = ("no_search_permission", "no_write_permission", "acl_denied", "group_not_effective", "protected_symlink")
RESTART = ("refused", "backlog_full", "no_answer", "closed", "mode_not_effective")


def fix(seen: Evidence, found: Verdict) -> str:
    """The command that fixes a verdict, "" if none is known."""
    if found.code in PERMISSIONS:
        return _permissions(seen)
    if found.code in RESTART:
        return seen.owner.restart() if seen.owner else ""
    if found.code in ("missing", "dangling_link"):
        return _missing(seen, found)
    if found.code == "trailing_slash":
        return _edit_line(seen, seen.target.address, seen.target.address.rstrip("/"))
    if found.code == "not_a_socket":
        return _move_aside(seen, found.component)
    if found.code in ("private_tmp", "hidden_by_namespace"):
        return " && ".join(_unhide(*each) for each in seen.closing)
    if found.code == "wrong_protocol":
        return _change_protocol(seen, found)
    if found.code == "name_too_long":
        return _shorten_path(seen)
    return ""


def grants(steps: list[Step], refusals: list[Refusal], identity: Identity, setfacl: bool, renew: str = "") -> list[str] | None:
    """The commands that give access at each refusal; None if one of them could give access to something else.

    :param steps: the path that the refusals are on
    :param setfacl: whether setfacl(1) is installed
    :param renew: the command that gives the user's running process its new groups
    """
    commands: list[str] = []
    joined = False
    for refusal in refusals:
        user = _walk.editor(steps, refusal.step)
        if user is None:
            return None
        command = _grant(refusal, user, identity, setfacl)
        joined = joined or command.startswith("usermod")
        if command not in commands:
            commands.append(command)
    return [*commands, renew] if joined and renew else commands


def _grant(refusal: Refusal, user: int, identity: Identity, setfacl: bool) -> str:
    """The command that gives access at a refusal.

    :param user: as whom the component can be changed, see ``_walk.editor``
    """
    step, path = refusal.step, shlex.quote(refusal.path)
    if refusal.code == "protected_symlink":
        return f"chown --no-dereference {shlex.quote(user_name(_directory_owner(refusal.path)))} {path}"
    right = "x" if refusal.want == SEARCH else "w"
    listed = listing(f"u:{identity.user}:{'x' if right == 'x' else 'rw'}", path, user, setfacl)
    if step.get("acl"):
        return listed
    if identity.uid == step["uid"]:
        return _accounts.as_user(user, f"chmod u+{right} {path}")
    if identity.has(step["gid"]):
        return _accounts.as_user(user, f"chmod g+{right} {path}")
    if right == "x" and refusal.path in PUBLIC:
        return f"chmod o+x {path}"
    if user:  # who cannot give it to another group
        return listed
    group = shlex.quote(group_name(identity.gid))
    handed = f"chgrp {group} {path} && chmod g={'x' if right == 'x' else 'rw'} {path}"
    own = _private_group(step)
    # The group of a socket can be changed in the server's configuration; a directory's group may serve others.
    if right == "w" and own:
        return handed
    if setfacl:
        return listed
    if own:
        return handed
    return f"usermod -aG {shlex.quote(group_name(step['gid']))} {shlex.quote(identity.user)} && chmod g+{right} {path}"


def listing(entries: str, path: str, user: int, setfacl: bool) -> str:
    """The command that adds entries to the access control list of a path, which is quoted already.

    :param user: as whom, see ``_walk.editor``
    :param setfacl: whether setfacl(1) is installed
    """
    command = _accounts.as_user(user, f"setfacl -m {shlex.quote(entries)} {path}")
    return command if setfacl else f"apt-get install -y acl && {command}"


def _private_group(step: Step) -> bool:
    """Whether a file's group has no members but the file's owner and root, so that no one else needs it."""
    return not _accounts.members(step["gid"]) - {user_name(step["uid"]), "root"}


def _directory_owner(path: str) -> int:
    try:
        return os.stat(os.path.dirname(path)).st_uid
    except OSError:
        return 0


def renewal(seen: Evidence) -> str:
    """The command that gives a process its user's current groups. A reload of nginx does: new workers read them."""
    identity = seen.identity
    if identity.nginx:
        return f"systemctl reload {short(seen.nginx_unit)}" if seen.nginx_unit else f"kill -HUP {identity.parent}"
    return f"systemctl restart {short(seen.nginx_unit)}" if seen.nginx_unit else ""


def _permissions(seen: Evidence) -> str:
    now = {each.path for each in _verdict.refusals(seen, seen.identity)}
    then = _verdict.refusals(seen, seen.renewed)
    commands = grants(list(seen.inside), then, seen.renewed, seen.setfacl, renewal(seen))
    if commands is None:
        return ""
    renew = renewal(seen)
    if now - {each.path for each in then} and renew and renew not in commands:
        commands.append(renew)
    return " && ".join(commands)


def _move_aside(seen: Evidence, path: str) -> str:
    # A directory only where the socket should be, as Docker makes one for a volume: what others have in one may be all they have.
    step = next((step for step in seen.inside if step["path"] == path and "uid" in step), None)
    if step and step["kind"] == "directory" and path != seen.target.path:
        return ""
    user = _walk.mover(list(seen.inside), step) if step else None
    if user is None or seen.owner is None:
        return ""
    aside = _accounts.as_user(user, f"mv -T {shlex.quote(path)} {shlex.quote(f'{path}.not-a-socket')}")
    return f"{aside} && {seen.owner.restart()}"


def _missing(seen: Evidence, found: Verdict) -> str:
    if seen.owner:
        # A running server whose socket is gone creates it only when it restarts.
        return seen.owner.restart() if seen.server or seen.listener else seen.owner.start()
    if seen.alike_sure and found.code == "missing":
        return _edit_line(seen, seen.target.address, seen.alike)
    return ""


def _unhide(unit: str, name: str, _value: str) -> str:
    directory = shlex.quote(f"/etc/systemd/system/{unit}.d")
    line = f"[Service]\\n{name}={OPENED[name]}\\n"
    file = shlex.quote(f"/etc/systemd/system/{unit}.d/zz-{name.lower()}-{DROP_IN}")  # the last one counts
    return f"mkdir -p {directory} && printf '{line}' > {file} && systemctl daemon-reload && systemctl restart {short(unit)}"


def _change_protocol(seen: Evidence, found: Verdict) -> str:
    address = seen.target.address
    old, new = f"uwsgi_pass {address}", f"include proxy_params; proxy_pass http://{address}"
    if found.protocol == "uwsgi":
        old, new = f"proxy_pass http://{address}", f"include uwsgi_params; uwsgi_pass {address}"
    file, line = _place(seen)
    words = _line(file, line).split(";")[0].split()
    if " ".join(words[:2]) in (old, f"{old}:", f"{old}/", f"{old}:/"):
        return _sed(file, line, rf"{words[0]}[[:space:]][[:space:]]*{_pattern(words[1])}", new)
    return ""


def _edit_line(seen: Evidence, old: str, new: str) -> str:
    file, line = _place(seen)
    return _sed(file, line, _pattern(old), new) if old in _line(file, line) else ""


def _sed(file: str, line: int, pattern: str, new: str) -> str:
    if not _untrusted.is_roots_alone(file):  # sed -i would write whatever it finds there
        return ""
    return _edit.applied([_edit.Edit(file, f"{line}s#{pattern}#{new}#")])


def _pattern(text: str) -> str:
    return "".join(f"\\{character}" if character in ".[]*^$\\#" else character for character in text)


def _place(seen: Evidence) -> tuple[str, int]:
    """The file and line in nginx's configuration that name the socket. With symlinks resolved: sed -i would replace one."""
    file, _colon, line = seen.target.named_in.rpartition(":")
    return os.path.realpath(file) if file else "", int(line) if line.isdigit() else 0


def _line(file: str, number: int) -> str:
    if not file or number < 1:
        return ""
    lines = (_untrusted.text_or_none(file) or "").splitlines()
    return lines[number - 1] if number <= len(lines) else ""


def _shorten_path(seen: Evidence) -> str:
    """Use a shorter path: a symlink to the directory of a socket bound by a relative path, else a new directory."""
    path = seen.target.path
    directory, name = os.path.split(path)
    file, line = _place(seen)
    if f"unix:{path}" not in _line(file, line):
        return ""
    if seen.outside and seen.outside[-1].get("kind") == "socket":
        link = f"/run/{os.path.basename(directory)[:40]}"
        edit = _edit_line(seen, f"unix:{path}", f"unix:{link}/{name[:40]}")
        return f"ln -sfn {shlex.quote(directory)} {shlex.quote(link)} && {edit}" if edit else ""
    if seen.owner is None or not seen.owner.unit or seen.owner.program:
        return ""
    user = _systemd.properties(seen.owner.unit, ["User"]).get("User") or "root"
    place = f"/run/{short(seen.owner.unit)[:40]}"
    files = [os.path.realpath(each) for each in seen.owner.files]
    if not all(_untrusted.is_roots_alone(each) for each in [*files, file]):
        return ""
    script = f"s#{_pattern(path)}#{place}/{name[-20:]}#g"
    # Sockets inherit the directory's group (setgid), which is nginx's.
    return (
        f"install -d -o {shlex.quote(user)} -g {shlex.quote(group_name(seen.identity.gid))} -m 2750 {shlex.quote(place)} && "
        f"sed -i {shlex.quote(script)} {' '.join(map(shlex.quote, files))} && systemctl daemon-reload && "
        f"{seen.owner.restart()} && {_edit.applied([_edit.Edit(file, script)])}"
    )


def permanent_fix(seen: Evidence, found: Verdict) -> str:
    """What to change so that it stays fixed, a command or a sentence; "" if the fix is permanent."""
    text = _permanent_fix(seen, found)
    return _display.inert(text) if text[:1].isupper() else text


def _permanent_fix(seen: Evidence, found: Verdict) -> str:
    address, last = seen.target.address, found.refusals[-1] if found.refusals else None
    astray = next((each.step for each in found.refusals if _walk.editor(list(seen.inside), each.step) is None), None)
    if astray:
        return (
            f"Move the socket to a directory of its own under /run: others made a symlink to {astray['path']}, or "
            "can replace it, so no command would be safe."
        )
    if found.code in ("no_write_permission", "acl_denied") and last and last.want == WRITE:
        lasts = _lasting.recreates_access(seen, last)
        return "" if lasts else _lasting.of_socket(seen, last) or _permanent_setting(seen)
    if found.code in ("no_search_permission", "acl_denied") and last and last.want == SEARCH and len(found.refusals) == 1:
        command = _lasting.of_directory(seen, last.step)
        if command:
            return command
    if found.refusals and found.component.startswith("/run/"):
        owner = seen.owner.name if seen.owner else "tmpfiles.d"
        return f"{found.component} is recreated at every boot: set its owner and mode where it is created ({owner})."
    if found.code in ("private_tmp", "hidden_by_namespace"):
        return f"Better move the socket {address} to a directory of its own under /run, for the server and for nginx."
    if found.code == "no_search_permission":
        return f"Better move the socket to a directory of its own under /run, which does not need {found.component}."
    if found.code == "backlog_full":
        return "If the app is overloaded, give it more processes or threads; a longer queue only lets visitors wait longer."
    if found.code in ("no_answer", "closed", "bad_status"):
        unit = seen.owner.unit if seen.owner else ""
        return (
            f"See the app's log for the cause: journalctl -u {short(unit)} -n 50." if unit else "See the app's log for the cause."
        )
    if found.code == "name_too_long":
        return "Configure the server to use a shorter path, in a directory of its own under /run."
    if fix(seen, found):
        return ""
    if found.code == "missing" and seen.alike and seen.target.named_in:
        return f"Name {seen.alike} at {seen.target.named_in} if that is the app of this site, and reload nginx."
    return MANUAL.get(found.code, "")


def _permanent_setting(seen: Evidence) -> str:
    command = " ".join(seen.server.command) if seen.server else ""
    group = group_name(seen.identity.gid)
    files = seen.owner.files if seen.owner else ()
    where = seen.setting.file if seen.setting else next(iter(files), "")
    place = f" in {where}" if where else ""
    kind = command + " ".join(files)
    if "gunicorn" in kind:
        return f"gunicorn recreates its socket at every start: run it with Group={group} and --umask 007{place}."
    if "uwsgi" in kind:
        user = seen.server.user if seen.server else "USER"
        return f"uWSGI recreates its socket at every start: set chmod-socket = 660 and chown-socket = {user}:{group}{place}."
    return f"The server recreates its socket at every start: configure it to give the group {group} write permission{place}."
