# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _down_groups, _examine
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._evidence import Access

APP = "server { server_name a.test; location / { proxy_pass http://all; } }"


@pytest.mark.parametrize(
    ("servers", "code", "fixes"),
    [
        (
            "server unix:/a.sock down;",
            "ok",
            ["2s#server[[:blank:]][[:blank:]]*unix:/a\\.sock[[:blank:]][[:blank:]]*down#server unix:/a.sock#"],
        ),
        ("server unix:/a.sock down;", "missing", ["Let a server listen there, then remove the word down at "]),
        (
            "server 127.0.0.1:81 down weight=2;\nserver 127.0.0.1:82 down;",
            "ok",
            ["2s#", "weight=2#", " -e '3s#", "nginx -t"],
        ),
        ("server unix:/a.sock down;\nserver unix:/b.sock;", "ok", None),
        ("server unix:/a.sock down;\nserver unix:/b.sock backup;", "ok", None),
        ("zone a 64k;", "ok", None),
    ],
)
def test_a_group_without_a_server(tmp_path, monkeypatch, servers, code, fixes):
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: True)
    monkeypatch.setattr(
        _down_groups._examine, "examine", lambda targets, timeout: [Access("", "", code, "") for _target in targets]
    )
    text = f"upstream all {{\n{servers}\n}}\n{APP}"
    (tmp_path / "n").write_text(text)
    main = f"# configuration file /m:\nhttp {{ include {tmp_path}/n; }}\n# configuration file {tmp_path}/n:\n{text}\n"
    configuration = _configuration.parse(main)
    sites = [Site(group) for group in _examine.grouped(configuration.servers)]
    ((*found,),) = _down_groups.look(configuration, sites, 1)
    assert [finding.code for finding in found] == ([] if fixes is None else ["upstream_down"])
    assert all(fix in finding.fix for finding in found for fix in fixes), found
