# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Bytecode of what modules import from here, kept on the host for the next module and the next run.

Ansible sends a module and all that it imports as an archive of source files, and Python keeps no bytecode of an archive's files.
So each module compiled a hundred files again, which took longer than its work where there was nothing to do. What is kept is used
for the very source that was sent, and for no other.

A module imports this first: what it has imported before is not kept.

Root runs what is kept, so it lies where root alone can write. A host of a stranger's may have another directory of this name.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import marshal
import os
import stat
import sys
import zipimport
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Callable

DIRECTORY = "/var/lib/wsgi"
"""On a host that has no such directory, nothing of this collection's is kept."""

NAME = os.path.basename(importlib.util.cache_from_source("modules.py"))
"""The file in the directory: ``modules.cpython-313.pyc``."""

PACKAGE = __name__.rpartition(".")[0] + "."

INIT = "__init__.py"

DIGEST = hashlib.sha256


class Bytecode:
    """What is kept in a file.

    The file begins with a digest of the rest, for what is not whole must not be loaded: a damaged ``marshal`` ends the process.

    :ivar kept: by the name of a module, the digest of its source, and its bytecode
    :ivar used: the same of the modules that this process has imported
    :ivar complete: whether the file has all of ``used``
    """

    def __init__(self, path: str):
        self.path = path
        self.kept: dict[str, tuple[bytes, bytes]] = {}
        self.used: dict[str, tuple[bytes, bytes]] = {}
        self.complete = True
        with contextlib.suppress(OSError):
            with open(path, "rb") as stream:
                digest, content = stream.read(DIGEST().digest_size), stream.read()
                trusted = _is_ours(os.path.dirname(path)) and os.fstat(stream.fileno()).st_uid == os.geteuid()
            if trusted and digest == self._digest(content):
                self.kept = marshal.loads(content)

    @staticmethod
    def _digest(content: bytes) -> bytes:
        return DIGEST(importlib.util.MAGIC_NUMBER + content).digest()

    def code(self, name: str, source: bytes, file: str) -> CodeType:
        """A module's code.

        :param file: what a traceback names, and reads the lines of. The archive that the code was compiled from has gone, and
            where it was, in ``/tmp``, is whatever anybody puts there
        :raises SyntaxError: this Python does not understand it
        """
        digest = DIGEST(source).digest()
        entry = self.kept.get(name)
        if entry is not None and entry[0] == digest:
            self.used[name] = entry
            return _of_file(marshal.loads(entry[1]), file)
        code = compile(source, file, "exec", dont_inherit=True)
        self.used[name] = digest, marshal.dumps(code)
        self.complete = False
        return code

    def save(self) -> None:
        """Write the file if something is new. What another version of the collection has left there goes.

        Two runs at once may spoil each other's file, and nothing is kept then until the next one.
        """
        if self.complete or not _is_ours(os.path.dirname(self.path)):
            return
        replaced = any(self.kept.get(name, entry) != entry for name, entry in self.used.items())
        content = marshal.dumps(self.used if replaced else {**self.kept, **self.used})
        scratch = f"{self.path}.new"
        try:
            with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
                stream.write(self._digest(content) + content)
            os.replace(scratch, self.path)
        except OSError:
            with contextlib.suppress(OSError):  # of a full disk it takes nothing
                os.unlink(scratch)
            raise


def _is_ours(directory: str) -> bool:
    """Whether only the user that this process runs as, which is root, can write to a directory."""
    try:
        found = os.stat(directory)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _of_file(code: CodeType, file: str) -> CodeType:
    """Code as if it had been compiled from a file."""
    constants = (_of_file(each, file) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=file, co_consts=tuple(constants))


class Loader(importlib.abc.InspectLoader):
    """Loads one module.

    :param file: its path in the archive
    """

    def __init__(self, file: str, source: bytes, bytecode: Bytecode):
        self.file = file
        self.source = source
        self.bytecode = bytecode

    def is_package(self, fullname: str) -> bool:
        return os.path.basename(self.file) == INIT

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self.source)

    def get_code(self, fullname: str) -> CodeType:
        return self.bytecode.code(fullname, self.source, self.file)


class Finder(importlib.abc.MetaPathFinder):
    """Finds this collection's modules in an archive, as zipimport does, which compiles them for that.

    :param archive: what the package of this module was loaded from
    """

    def __init__(self, archive: zipimport.zipimporter, bytecode: Bytecode):
        self.archive = archive
        self.bytecode = bytecode

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(PACKAGE):
            return None
        stem = os.path.join(self.archive.archive, self.archive.prefix, *fullname[len(PACKAGE) :].split("."))
        for file in (f"{stem}.py", os.path.join(stem, INIT)):
            with contextlib.suppress(OSError):
                loader = Loader(file, self.archive.get_data(file), self.bytecode)
                return importlib.util.spec_from_file_location(fullname, file, loader=loader)
        return None


def kept(main: Callable[[], None]) -> Callable[[], None]:
    """Decorates the function that is a module: what was compiled for it is kept in the end."""

    @functools.wraps(main)
    def keeping() -> None:
        try:
            main()
        finally:
            if BYTECODE is not None:
                with contextlib.suppress(OSError):  # it is compiled again next time
                    BYTECODE.save()

    return keeping


BYTECODE = None
ARCHIVE = sys.modules[__name__].__loader__
if isinstance(ARCHIVE, zipimport.zipimporter):
    BYTECODE = Bytecode(os.path.join(DIRECTORY, NAME))
    sys.meta_path.insert(0, Finder(ARCHIVE, BYTECODE))
