# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The modules of steps that follow, put together while one works on the host.

For each module, Ansible reads and parses all that it imports, and the host waits. What was put together lies in Ansible's
temporary directory for the run, where the step finds it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Callable

from ansible_collections.wsgi.stack.plugins.plugin_utils import _beside


def built(modules: Sequence[str], build: Callable[[str], object]) -> contextlib.AbstractContextManager[None]:
    """While the block runs, build modules, one after the other; when it has ended, no further one is begun.

    :param build: an error of it is for the step to raise
    """

    def work(ended: threading.Event) -> None:
        for module in modules:
            if ended.is_set():
                return
            with contextlib.suppress(Exception):
                build(module)

    return _beside.running(work)
