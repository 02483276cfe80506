# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _judge_server
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._server import ServerProcess


def judged(served=True, **options):
    given = {"pid": 7, "kind": "uwsgi", "environment": "/venv", "python": "3.11", "made_for": "3.11.2", **options}
    process = ServerProcess(**given)
    found = _judge_server.judge(process, "unix:/run/shop.sock", served, 4096, "systemctl restart shop")
    return [(finding.severity, finding.code) for finding in found]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, ""),
        ({"made_for": "3.11.9"}, ""),
        ({"made_for": ""}, ""),
        ({"environment": ""}, ""),
        ({"backlog": 4096}, ""),
        ({"made_for": "3.9.2"}, "python_mismatch"),
        ({"dangling": "/usr/bin/python3.9"}, "venv_broken"),
        ({"missing_plugins": ("python99",)}, "plugin_missing"),
        ({"unfit_plugins": ("/p.so was built for uWSGI 2.0.21",)}, "plugin_unfit"),
        ({"backlog": 5000}, "backlog_over_somaxconn"),
    ],
)
@pytest.mark.parametrize(("served", "severity"), [(True, "warning"), (False, "broken")])
def test_a_server_is_judged(options, code, served, severity):
    assert judged(served, **options) == ([(severity, code)] if code else [])


@pytest.mark.parametrize("kind", ["configuration", "code", "packages"])
def test_a_process_older_than_its_files_is_noticed(kind):
    assert judged(newer=((kind, "/srv/shop/file", 5.0),)) == [("warning", f"older_than_{kind}")]


def test_a_process_older_than_its_programs_is_noticed():
    assert judged(replaced=("/usr/bin/uwsgi",)) == [("warning", "older_than_program")]
