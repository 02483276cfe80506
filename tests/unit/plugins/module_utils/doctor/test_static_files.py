# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _static_files
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import is_sentence
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity

WHO = Identity("daemon", 1, 1, (), "database")
DUMP = """# configuration file /etc/nginx/nginx.conf:
http { root /var/www; server { location /static/ { alias /srv/shop/static/; } location /x { root $document; } } }
"""


def test_the_directories_that_nginx_serves_from():
    assert _static_files.roots(DUMP) == {"/var/www", "/srv/shop/static"}


@pytest.fixture
def static():
    """A directory of static files in a home that others may not enter. Others may not enter ``tmp_path`` at all."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        home = Path(name) / "home"
        (home / "static").mkdir(parents=True)
        (home / "static/a.css").write_text("")
        home.chmod(0o700)
        yield home / "static"


def judged(path, root):
    return _static_files.judge(str(path), {str(root)}, WHO, True)


def test_a_directory_on_the_way_is_named(static, monkeypatch):
    monkeypatch.setattr(_static_files._fix._walk, "editor", lambda steps, step: 0)
    found = judged(static / "a.css", static)
    assert f"may not enter {static.parent}" in found.message
    assert found.fix == f"setfacl -m u:daemon:x {static.parent}"


def test_what_is_closed_below_is_not_opened(static):
    static.parent.chmod(0o755)
    assert is_sentence(judged(static / "a.css", static).fix)


def test_what_nginx_does_not_serve_is_not_judged(static):
    assert judged("/etc/shadow", static) is None
