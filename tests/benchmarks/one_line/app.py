# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest app, so that a request costs what the servers cost."""

from __future__ import annotations


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]
