# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The archives in which Ansible sends modules, kept on the controller for the next run.

For each module that it sends, Ansible reads and parses all that the module imports, and forgets the archive when the run ends.
That took half of a run's time on the controller's processor.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import module_utils_loader
from ansible.release import __version__

COLLECTION = "wsgi.stack."
PACKAGE = "ansible_collections.wsgi.stack.plugins.modules."

DIRECTORY = "wsgi.stack/archives"
"""Where archives are kept, in ANSIBLE_HOME."""

VERSIONS_KEPT = 4
"""How many versions of the collection or of Ansible archives are kept of, the latest."""


def _version() -> str:
    """A digest of all that can be in an archive, and of what makes it; "" if a file cannot be read."""
    plugins = Path(__file__).parents[1]
    sources = [plugins / "modules", plugins / "module_utils", *map(Path, module_utils_loader.print_paths().split(os.pathsep))]
    digest = hashlib.sha256(f"{__version__} {sys.version}".encode())
    try:
        for file in sorted(file for source in sources for file in source.rglob("*.py")):
            digest.update(f"{file} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    except OSError:
        return ""
    return digest.hexdigest()[:32]


VERSION = _version()  # here, since Ansible imports an action plugin before it forks the workers of the task


class ModuleAction(ActionBase):
    """The base of actions that run modules of this collection on hosts."""

    def _configure_module(self, module_name: str, *arguments: Any, **options: Any) -> Any:
        with kept(module_name):
            return super()._configure_module(module_name, *arguments, **options)


@contextlib.contextmanager
def kept(module: str) -> Iterator[None]:
    """Give Ansible the archive of a module if it is kept, and keep the one that Ansible makes in the block.

    What cannot be kept is made in each run, as Ansible does by itself. So is what was made while the collection was replaced.

    :param module: its full name; nothing is done for a module of another collection
    """
    store = _store_for(module)
    if store is None:
        yield
        return
    names = _names(module)
    of_run = Path(vars(constants)["DEFAULT_LOCAL_TMP"], "ansiballz_cache")
    with contextlib.suppress(OSError):
        of_run.mkdir(mode=0o700, exist_ok=True)
        _copy(names, store, of_run)
    yield
    with contextlib.suppress(OSError):
        if not is_kept(module) and _version() == VERSION:
            _copy(names, of_run, store)


def is_kept(module: str) -> bool:
    """Whether the archive of a module need not be made."""
    store = _store_for(module)
    return store is not None and any(store.glob(_names(module)))


def _names(module: str) -> str:
    """A pattern of the names that Ansible gives to the archives of a module, of which it knows several kinds."""
    return f"{PACKAGE}{module[len(COLLECTION) :]}-*"


def _copy(names: str, source: Path, target: Path) -> None:
    """Copy the archives of such names that are not there."""
    for file in source.glob(names):
        if file.suffix == ".lock" or (target / file.name).exists():
            continue
        descriptor, scratch = tempfile.mkstemp(dir=target)
        try:
            with open(descriptor, "wb") as stream:
                stream.write(file.read_bytes())
            os.replace(scratch, target / file.name)
        except BaseException:
            os.unlink(scratch)
            raise


def _store_for(module: str) -> Path | None:
    return _store() if VERSION and module.startswith(COLLECTION) else None


@functools.cache
def _store() -> Path | None:
    """The directory for the archives of this very collection and Ansible; None if others could write to it.

    Ansible unpickles what lies there.
    """
    top = Path(constants.config.get_config_value("ANSIBLE_HOME"), DIRECTORY)
    store = top / VERSION
    try:
        is_new = not store.exists()
        if not all(_is_private(directory) for directory in (top.parent, top, store)):
            return None
        if is_new:
            _remove_old(top)
    except OSError:
        return None
    return store


def _is_private(directory: Path) -> bool:
    """Whether this user alone can write to a directory, which is made if it is not there."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & others


def _remove_old(top: Path) -> None:
    stores = sorted(top.iterdir(), key=lambda store: store.stat().st_mtime, reverse=True)
    for store in stores[VERSIONS_KEPT:]:
        shutil.rmtree(store, ignore_errors=True)
