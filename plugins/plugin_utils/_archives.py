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
from ansible.executor import module_common
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import module_utils_loader
from ansible.release import __version__

COLLECTION = "wsgi.stack."
PACKAGE = "ansible_collections.wsgi.stack.plugins.modules."

DIRECTORY = "wsgi.stack/archives"
"""Where archives are kept, in ANSIBLE_HOME."""

VERSIONS_KEPT = 4
"""How many versions of the collection or of Ansible archives are kept of, those that ran last."""


def _places() -> str:
    """Where Ansible looks for what modules import, beside this collection. A role that is loaded may add to it."""
    return str(module_utils_loader.print_paths())


def _version() -> str:
    """A digest of all that can be in an archive, and of what makes it; "" if a file cannot be read."""
    plugins = Path(__file__).parents[1]
    sources = [plugins / "modules", plugins / "module_utils", *map(Path, PLACES.split(os.pathsep))]
    digest = hashlib.sha256(f"{__version__} {sys.version}".encode())
    try:
        for file in [Path(module_common.__file__), *sorted(file for source in sources for file in _python_files(source))]:
            digest.update(os.fsencode(file) + hashlib.sha256(file.read_bytes()).digest())
    except OSError:
        return ""
    return digest.hexdigest()[:32]


def _python_files(directory: Path) -> Iterator[Path]:
    """The files below a directory.

    :raises OSError: a directory is a symlink, which Ansible follows, and which may lead anywhere
    """
    for found, directories, files in os.walk(directory):
        for name in directories:
            if os.path.islink(os.path.join(found, name)):
                raise OSError(f"{found}/{name} is a symlink")
        yield from (Path(found, name) for name in files if name.endswith(".py"))


PLACES = _places()
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
    of_run = Path(vars(constants)["DEFAULT_LOCAL_TMP"], "ansiballz_cache")
    with contextlib.suppress(OSError):
        of_run.mkdir(mode=0o700, exist_ok=True)
        for name in _archives_of(module, store) - _archives_of(module, of_run):
            _give(store / name, of_run / name)
    yield
    with contextlib.suppress(OSError):
        made = _archives_of(module, of_run) - _archives_of(module, store)
        if made and _version() == VERSION:
            for name in made:
                content = (of_run / name).read_bytes()
                _write(store / name, _digest(content) + content)


def is_kept(module: str) -> bool:
    """Whether the archive of a module need not be made."""
    store = _store_for(module)
    return store is not None and bool(_archives_of(module, store))


def _archives_of(module: str, directory: Path) -> set[str]:
    """The names of a module's archives, of which Ansible knows several kinds."""
    found = directory.glob(f"{PACKAGE}{module[len(COLLECTION) :]}-*")
    return {file.name for file in found if not file.name.endswith((".lock", "-part"))}


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _give(file: Path, target: Path) -> None:
    """Copy a kept archive, which is removed if it is damaged: a computer may have stopped before all of it was on its disk."""
    content = file.read_bytes()
    size = hashlib.sha256().digest_size
    if content[:size] == _digest(content[size:]):
        _write(target, content[size:])
    else:
        file.unlink()


def _write(file: Path, content: bytes) -> None:
    descriptor, scratch = tempfile.mkstemp(dir=file.parent)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(scratch, file)
    except BaseException:
        os.unlink(scratch)
        raise


def _store_for(module: str) -> Path | None:
    return _store() if VERSION and module.startswith(COLLECTION) and _places() == PLACES else None


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
        os.utime(store)
        if is_new:
            _remove_old(top, store)
    except OSError:
        return None
    return store


def _is_private(directory: Path) -> bool:
    """Whether this user alone can write to a directory, which is made if it is not there."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & others


def _remove_old(top: Path, new: Path) -> None:
    others = sorted((store for store in top.iterdir() if store != new), key=lambda store: store.stat().st_mtime, reverse=True)
    for store in others[VERSIONS_KEPT - 1 :]:
        shutil.rmtree(store, ignore_errors=True)
