# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervisord that is only a socket."""

from __future__ import annotations

import http.server
import socketserver
import threading
import xmlrpc.client

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _supervisor, _supervisor_files


class Supervisord(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A supervisord that notes the calls, and returns what it is given as ``answers``."""

    def __init__(self, path):
        self.calls = []
        self.answers = {}
        self.wanted = None

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                arguments, method = xmlrpc.client.loads(self.rfile.read(length))
                if self.headers["Authorization"] != self.server.wanted:
                    self.send_error(401)
                    return
                self.server.calls.append((method.removeprefix("supervisor."), *arguments))
                answer = self.server.answers.get(method.removeprefix("supervisor."), True)
                if method == "supervisor.removeProcessGroup":
                    self.server.answers["getAllProcessInfo"] = []
                response = answer if isinstance(answer, xmlrpc.client.Fault) else (answer,)
                text = xmlrpc.client.dumps(response, methodresponse=True).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_words):
                return

        super().__init__(path, Handler)

    def get_request(self):
        return self.socket.accept()[0], ("local", 0)


@pytest.fixture
def supervisord(monkeypatch, tmp_path):
    path = str(tmp_path / "s.sock")
    configuration = tmp_path / "supervisord.conf"
    configuration.write_text(f"[unix_http_server]\nfile={path}\n")
    (tmp_path / "conf.d").mkdir()
    monkeypatch.setattr(_supervisor_files, "CONFIGURATION", str(configuration))
    monkeypatch.setattr(_layout, "PROGRAMS", str(tmp_path / "conf.d"))
    monkeypatch.setattr(_supervisor, "_ensure_running", lambda: None)
    monkeypatch.setattr(_supervisor, "_make_log_directory", lambda: None)
    with Supervisord(path) as server:
        server.answers = {"getAllProcessInfo": []}
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
