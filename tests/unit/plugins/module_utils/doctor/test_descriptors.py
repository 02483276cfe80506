# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _descriptors


def test_the_links_of_a_process_are_followed():
    with socket.socket() as mine:
        found = _descriptors.look([os.getpid(), 2**22 + 1])
        assert found[os.getpid()]["cwd"] == os.getcwd()
        assert found[os.getpid()]["files"][str(mine.fileno())].startswith("socket:[")
    assert list(found) == [os.getpid()]
