# SPDX-License-Identifier: GPL-3.0-or-later
"""A WSGI application that says how it was called."""

import json


def application(environ, start_response):
    """Answer any request with its CGI variables."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({key: value for key, value in environ.items() if isinstance(value, str)}).encode()]
