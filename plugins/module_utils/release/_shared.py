# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What an app shares between its releases: its shared paths, and the directories of its data that nginx serves.

The data is the app's, so root only looks whether it is there, and whatever is to be done is done as the app's user.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _accounts, _acl, _sandbox

TIMEOUT = 600
"""Seconds: there may be a lot of it, and the app's own processes can stop what runs as their user."""

# Copied under another name first, so that a run that is killed leaves nothing half-copied.
TAKE_OVER = """
shared=$1 kept=$2
shift 2
umask 027
cd "$shared"
for path; do
    if [ -e "$path" ] || [ -L "$path" ]; then continue; fi
    case $path in
        *.sqlite3 | *.sqlite | *.db)
            if [ -z "$(ls -A "$kept/$path" 2>/dev/null)" ]; then
                echo "error: the source has no $path, and shared_paths makes a directory of what it lacks; put the database" \
                    "into a directory, as BASE_DIR / 'data' / '${path##*/}' with shared_paths: [data], or into \\$WSGI_SHARED"
                exit 1
            fi
            ;;
    esac
    mkdir -p -- "$(dirname -- "$path")"
    if [ -e "$kept/$path" ]; then
        rm -rf .wsgi-new
        cp -R -P -- "$kept/$path" .wsgi-new
        mv -T .wsgi-new "$path"
    else
        mkdir -- "$path"
    fi
done
"""

# What is new inherits the default ACL, and the umask of who makes it plays no part then (acl(5)). What its owner has closed to
# the group, as with mode 0600, stays closed: the ACL's mask says so. Files may come and go meanwhile, and others may be somebody
# else's, for which nothing can be done here.
PUBLISH = """
shared=$1 group=$2
shift 2
umask 027
cd "$shared"
for path; do
    setfacl -m "g:$group:x" .
    here=.
    rest=$path/
    while [ "$rest" ]; do
        here=$here/${rest%%/*} rest=${rest#*/}
        if [ -L "$here" ]; then
            echo "error: $shared/${here#./} is a symlink, and nginx follows none there; make it a directory, or mount one there"
            exit 1
        fi
        [ -d "$here" ] || mkdir -- "$here"
        if [ "$rest" ]; then setfacl -m "g:$group:x" -- "$here"; fi
    done
    setfacl -m "g:$group:rx,d:u::rwx,d:g::rx,d:o::-,d:g:$group:rx" -- "$here"
    find "$here" -user "$(id -u)" -type d -perm -050 -exec \
        setfacl -m "g:$group:rx,d:u::rwx,d:g::rx,d:o::-,d:g:$group:rx" -- {} + 2>/dev/null || true
    find "$here" -user "$(id -u)" -type f -perm -040 -exec setfacl -m "g:$group:r" -- {} + 2>/dev/null || true
done
"""


def missing(app: App, nginx_group: str) -> list[str]:
    """The shared paths that are not there, and the served directories that nginx cannot read."""
    top = _layout.of(app).shared
    absent = [path for path in app["shared_paths"] if _look(top, path) is None]
    served = [str(static["shared"]) for static in app["static"] if static["shared"]]
    if not served:
        return absent
    gid = _gid(nginx_group)
    return [*absent, *(path for path in dict.fromkeys(served) if not _readable(top, path, gid))]


def prepare(app: App, build: Mapping[str, Any], nginx_group: str) -> None:
    """Make what is ``missing``, and let nginx read what is in the served directories.

    :param build: has the ``path``
    :raises StackError: something is in the way
    """
    layout = _layout.of(app)
    served = dict.fromkeys(str(static["shared"]) for static in app["static"] if static["shared"])
    commands = []
    if app["shared_paths"]:
        kept = layout.kept(build["path"])
        commands.append(["/bin/sh", "-euc", TAKE_OVER, "sh", layout.shared, kept, *app["shared_paths"]])
    if served:
        commands.append(["/bin/sh", "-euc", PUBLISH, "sh", layout.shared, str(_gid(nginx_group)), *served])
    if not commands:
        return
    what = f"Shared data of the WSGI application {app['name']}"
    done = _sandbox.as_app(what, app["user"], app["group"], "", [layout.shared]).run(commands, timeout=TIMEOUT)
    if done.code:
        cause = done.last_line.removeprefix("error: ").rstrip(".")
        fix = "" if done.last_line.startswith("error: ") else f"; fix that in {layout.shared} and run the play again"
        raise StackError("shared", f"{cause}{fix}. The running release is unchanged.", done.output)


def _gid(group: str) -> int:
    try:
        return _accounts.gid_of(group)
    except KeyError:
        raise StackError("shared", f"there is no group {group}; correct wsgi_nginx_group.") from None


def _look(top: str, path: str) -> list[tuple[bytes, bytes]] | None:
    """The two ACLs of each directory from ``top`` to ``top/path``, the access ACL and the default ACL.

    :returns: None if there is nothing; the list is short if a symlink or no directory is on the way or at its end
    """
    found: list[tuple[bytes, bytes]] = []
    here = -1
    try:
        for part in [top, *path.split("/")]:
            inside = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=None if here < 0 else here)
            if here >= 0:
                os.close(here)
            here = inside
            found.append((_attribute(here, "access"), _attribute(here, "default")))
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return found
    finally:
        if here >= 0:
            os.close(here)
    return found


def _attribute(descriptor: int, kind: str) -> bytes:
    try:
        return os.getxattr(f"/proc/self/fd/{descriptor}", f"system.posix_acl_{kind}")
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP, errno.EACCES):
            return b""
        raise


def _readable(top: str, path: str, gid: int) -> bool:
    """Whether a directory and those above it have what ``PUBLISH`` gives them."""
    found = _look(top, path)
    if found is None or len(found) != len(path.split("/")) + 1:
        return False
    ways = all(_grants(access, gid, _acl.SEARCH) for access, _default in found)
    return ways and all(_grants(acl, gid, _acl.READ | _acl.SEARCH) for acl in found[-1])


def _grants(acl: bytes, gid: int, wanted: int) -> bool:
    """Whether an ACL gives a group some permissions. Pure."""
    entries = _acl.parse(acl)
    mask = next((entry.rights for entry in entries if entry.tag == _acl.MASK), 7)
    return any(entry.tag == _acl.GROUP and entry.id == gid and entry.rights & mask & wanted == wanted for entry in entries)
