# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _read_only


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("OSError: [Errno 30] Read-only file system: 'logs'", True),
        ("mkdir: cannot create directory 'logs': Read-only file system", True),
        ("django.db.utils.OperationalError: unable to open database file", True),
        ("django.db.utils.OperationalError: attempt to write a readonly database", True),
        ("PermissionError: [Errno 13] Permission denied: 'data.json'", True),
        ("PermissionError: [Errno 13] Permission denied: '/srv/wsgi/shop/builds/0a1b/source/data.json'", True),
        ("PermissionError: [Errno 13] Permission denied: '/mnt/data/builds'", False),
        ("bind(): Permission denied", False),
        ("KeyError: 'TOKEN'", False),
    ],
)
def test_what_to_do_about_an_app_that_writes_where_it_cannot(line, known):
    assert ("shared_paths" in _read_only.fix(line)) is known
