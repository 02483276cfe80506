# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Sources in a directory on the controller: their digest, packing them on the controller and unpacking them on the host."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run

EXTRACT_TIMEOUT = 600  # seconds


def digest(directory: str, exclude: Sequence[str]) -> str:
    """The SHA-256 of a directory: paths, contents, symlinks, and whether a file is executable.

    Owners, times and other permissions are ignored, and so are sockets, pipes and devices.

    :param exclude: shell patterns of names, or of paths relative to ``directory``, to leave out
    :raises OSError: something in it cannot be read
    """
    return _digest(directory, exclude, None)


def pack(directory: str, exclude: Sequence[str], stream: BinaryIO) -> str:
    """Write what ``digest`` covers as a tar archive.

    :returns: the digest of what was written, which is that of an earlier call only if nothing changed since
    """
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=6) as archive:
        return _digest(directory, exclude, archive)


def unpack(archive: str, target: str) -> None:
    """Unpack an archive made by ``pack`` into a new directory that belongs to root.

    :raises StackError: tar failed
    """
    os.mkdir(target, 0o755)
    extracted = run(
        ["tar", "--extract", "--gzip", "--no-same-owner", "--file", archive, "--directory", target], timeout=EXTRACT_TIMEOUT
    )
    if extracted.code and _files.NO_SPACE.search(extracted.output):
        raise StackError("source", _files.no_space(target), extracted.output)
    if extracted.code:
        raise StackError(
            "source",
            f"the archive of source.directory cannot be unpacked ({decisive_line(extracted.output)}); run the play again.",
            extracted.output,
        )


def _digest(directory: str, exclude: Sequence[str], archive: tarfile.TarFile | None) -> str:
    content = hashlib.sha256()
    for path in _walk(directory, "", exclude):
        full = os.path.join(directory, path)
        status = os.lstat(full)
        member = tarfile.TarInfo(path)
        member.mtime = int(status.st_mtime)
        member.mode = 0o755 if stat.S_ISDIR(status.st_mode) or status.st_mode & stat.S_IXUSR else 0o644
        if stat.S_ISREG(status.st_mode):
            with open(full, "rb") as stream:
                member.size = os.fstat(stream.fileno()).st_size
                reader = _Reader(stream)
                if archive is None:
                    reader.exhaust(member.size)
                else:
                    archive.addfile(member, reader)
            entry = ["file", path, f"{member.mode:o}", reader.digest.hexdigest()]
        elif stat.S_ISLNK(status.st_mode):
            member.type, member.linkname = tarfile.SYMTYPE, os.readlink(full)
            entry = ["link", path, member.linkname]
        else:
            member.type = tarfile.DIRTYPE
            entry = ["directory", path]
        if archive is not None and not member.isfile():
            archive.addfile(member)
        content.update(b"\0".join(os.fsencode(part) for part in entry) + b"\0\0")
    return content.hexdigest()


def _walk(directory: str, below: str, exclude: Sequence[str]) -> Iterator[str]:
    with os.scandir(os.path.join(directory, below)) as found:
        entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        path = os.path.join(below, entry.name)
        if any(fnmatch.fnmatchcase(entry.name, pattern) or fnmatch.fnmatchcase(path, pattern) for pattern in exclude):
            continue
        is_directory = entry.is_dir(follow_symlinks=False)
        if is_directory or entry.is_file(follow_symlinks=False) or entry.is_symlink():
            yield path
        if is_directory:
            yield from _walk(directory, path, exclude)


class _Reader(io.RawIOBase):
    """A file that notes the digest of what is read from it: the archive and its digest come from the same bytes."""

    def __init__(self, stream: BinaryIO):
        super().__init__()
        self.stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self.stream.read(size)
        self.digest.update(chunk)
        return chunk

    def exhaust(self, size: int) -> None:
        while size > 0:
            chunk = self.read(min(size, 1 << 20))
            if not chunk:
                return
            size -= len(chunk)
