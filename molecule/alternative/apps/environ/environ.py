# SPDX-License-Identifier: GPL-3.0-or-later
"""A WSGI application that says what it runs on."""

import json
import os
import sys


def application(environ, start_response):
    """Answer any request with the interpreter and the working directory."""
    start_response("200 OK", [("Content-Type", "application/json")])
    found = {"prefix": sys.base_prefix, "directory": os.getcwd()}
    return [json.dumps(found).encode()]
