# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Work that is done while a module runs on the host."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Callable


@contextlib.contextmanager
def running(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do something in a thread while the block runs, and wait for it in the end.

    :param work: gets what is set when the block has ended
    """
    ended = threading.Event()
    thread = threading.Thread(target=work, args=[ended], daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
