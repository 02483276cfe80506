# SPDX-License-Identifier: GPL-3.0-or-later
"""A result of the module doctor."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import Finding

PROCESS = {
    "pid": 7,
    "server": "uwsgi",
    "user": "shop",
    "since": "2026-01-02 03:04:05",
    "unit": "shop.service",
    "program": "",
    "python": "3.11",
    "virtual_environment": "/srv/shop/venv",
}


RESULT = {
    "nginx": {"installed": True, "version": "1.26.3", "pid": 9, "workers_since": "2026-01-02 03:04:05", "configuration": "ok"},
    "unseen": [],
    "sites": [
        {
            "name": "shop.test",
            "names": ["shop.test", "www.shop.test"],
            "state": "broken",
            "listens": ["*:80"],
            "defined_in": "/etc/nginx/sites-enabled/shop:1",
            "upstreams": [
                {
                    "address": "unix:/run/shop.sock",
                    "protocol": "uwsgi",
                    "locations": ["/"],
                    "code": "bad_status",
                    "status": 500,
                    "waits": False,
                    "unit": "shop.service",
                    "process": PROCESS,
                    "log": ["ValueError: <script>alert(1)</script>", "ValueError: & more"],
                }
            ],
            "variable_upstreams": ["$backend"],
            "certificates": [
                {
                    "path": "/etc/ssl/shop.pem",
                    "names": ["shop.test"],
                    "ends": "2026-03-04",
                    "days_left": 1,
                    "self_signed": True,
                    "message": "",
                }
            ],
            "dns": {"shop.test": "does not exist"},
            "log": [],
        }
    ],
    "findings": [
        Finding("broken", "bad_status", "It answers 500.", ("<b>", ""), "fix 'it' & that", "shop.test").result(),
        Finding("note", "nginx_stopped", "A note.").result(),
    ],
}


@pytest.fixture
def result():
    return RESULT
