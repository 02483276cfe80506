# SPDX-License-Identifier: GPL-3.0-or-later
"""A WSGI application that has a working directory and needs a Debian package."""

import json
import os
import subprocess

import tinydb


def application(environ, start_response):
    """Take a request's body and answer with what the app found on its host."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    found = {
        "directory": os.getcwd(),
        "generation": os.environ["GENERATION"],
        "hello": subprocess.run(["hello"], capture_output=True, text=True, check=True).stdout,
        "received": len(body),
        "tinydb": tinydb.__version__,
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(found).encode()]
