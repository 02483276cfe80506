# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What a step is doing for each app, in a file: a module returns nothing before its end, but the controller can read that."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator

FILE = "/run/wsgi-progress.json"
"""Where it is while a step runs: ``done`` and ``total``, numbers of apps, and ``doing``, lists of an app, words and a time."""

SECONDS: dict[str, float] = {}
"""How long this process has worked on each app, by name: the time of its own steps, not of waiting for its turn."""


class Board:
    """What is shown of the work of this process. Its threads each work on one app at a time.

    :ivar path: the file, "" as long as none is written, as in check mode
    """

    def __init__(self) -> None:
        self.path = ""
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._done = 0
        self._total = 0
        self._doing: dict[str, tuple[str, float]] = {}

    @contextlib.contextmanager
    def shown(self, path: str = FILE) -> Iterator[None]:
        """Show what is done in the block."""
        self.path = path
        try:
            yield
        finally:
            self.path = ""
            with contextlib.suppress(OSError):
                os.unlink(path)

    def begin(self, total: int) -> None:
        """Begin with the first of so many apps."""
        with self._lock:
            self._done, self._total = 0, total
            self._doing.clear()

    @contextlib.contextmanager
    def app(self, name: str) -> Iterator[None]:
        """Work on an app in this thread."""
        began = time.monotonic()
        self._thread.app, self._thread.waited = name, 0.0
        try:
            yield
        finally:
            self._thread.app = None  # what this thread waits for next is not for this app
            SECONDS[name] = SECONDS.get(name, 0.0) + time.monotonic() - began - self._thread.waited
            with self._lock:
                self._done += 1
                self._doing.pop(name, None)
                self._write()

    @contextlib.contextmanager
    def turn(self, turns: threading.Semaphore) -> Iterator[None]:
        """Wait until fewer apps than may be are in blocks of these turns, and keep others waiting as long as this one lasts."""
        began = time.monotonic()
        with turns:
            self._thread.waited = getattr(self._thread, "waited", 0.0) + time.monotonic() - began
            yield

    def does(self, words: str) -> None:
        """Say what is done now for the app of this thread: the rest of a sentence that begins with its name."""
        app = getattr(self._thread, "app", None)
        if app is not None:
            with self._lock:
                self._doing[app] = words, time.time()
                self._write()

    def _write(self) -> None:
        if not self.path:
            return
        doing = [[app, words, int(since)] for app, (words, since) in self._doing.items()]
        draft = f"{self.path}.{os.getpid()}"
        # The step does not depend on it, and tells of a full disk itself.
        with contextlib.suppress(OSError):
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as stream:
                json.dump({"done": self._done, "total": self._total, "doing": doing}, stream)
            os.rename(draft, self.path)


BOARD = Board()
