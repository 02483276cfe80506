# SPDX-License-Identifier: GPL-3.0-or-later
"""What supervisor's configuration files say."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._supervisor_files import Interface, interface, programs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[unix_http_server]\nfile=/var/run/supervisor.sock   ; (the path)\nchmod=0700 ; sockef\n",
            Interface("/var/run/supervisor.sock"),
        ),
        ("[unix_http_server]\nfile=%(here)s/s.sock\n", Interface("/etc/supervisor/s.sock")),
        ("[unix_http_server]\nfile=/s\nusername=admin\npassword=50% of it\n", Interface("/s", "admin:50% of it")),
        (
            "[unix_http_server]\nfile=/s\nusername=a\npassword={SHA}82ab\n[supervisorctl]\nusername=a\npassword=b\n",
            Interface("/s", "a:b"),
        ),
        ("[unix_http_server]\nfile=/s\nusername=admin\npassword=s3cret%%\n", Interface("/s", "admin:s3cret%")),
        ("[inet_http_server]\nport=127.0.0.1:9001\n", None),
    ],
)
def test_the_way_to_supervisord_is_where_its_configuration_says(text, expected):
    assert interface(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[program:shop]\ncommand = gunicorn -b :80 %(here)s ; comment\ndirectory=/srv\n[supervisord]\nx=y\n",
            {"shop": {"command": "gunicorn -b :80 %(here)s", "directory": "/srv"}},
        ),
        ("[fcgi-program:blog]\nsocket=unix:///run/blog.sock\n", {"blog": {"socket": "unix:///run/blog.sock"}}),
        ("no heading", {}),
    ],
)
def test_the_programs_of_a_file(text, expected):
    assert programs(text) == expected
