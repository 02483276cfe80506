# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to app servers over their unix sockets, in the protocol that nginx would use.

The file stands alone, so that its text can be run as a program of its own under another user's identity.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

ANSWER_BYTES = 65536
AT_ONCE = 64
"""How many servers are asked at the same time: that is waiting, not computing."""


def ask_all(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ask many servers at once, each as ``ask`` does, and return their answers in the same order."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(lambda question: ask(**question), questions))


def ask(path: str, protocol: str, uri: str, host: str, timeout: float) -> dict[str, Any]:
    """Send ``GET uri`` and read the status of the answer.

    :param path: the socket
    :param protocol: ``uwsgi`` or ``http``
    :param timeout: seconds for the whole exchange
    :returns: {"status": 200} or {"error": sentence}; never raises for what the other side does
    """
    deadline = time.monotonic() + timeout
    stage = f"cannot connect to {path}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(max(0.1, timeout))
            connection.connect(path)
            stage = f"no answer over {path}"
            connection.sendall(_uwsgi_packet(uri, host) if protocol == "uwsgi" else _http_request(uri, host))
            answer = b""
            # To the end, though the first line is enough: an app whose answer is cut off complains in its log.
            while len(answer) < ANSWER_BYTES:
                connection.settimeout(max(0.1, deadline - time.monotonic()))
                part = connection.recv(4096)
                if not part:
                    break
                answer += part
    except socket.timeout:
        return {"error": f"{stage} within {timeout:.0f} s"}
    except OSError as error:
        return {"error": f"{stage}: {error.strerror or error}"}
    words = answer.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return {
            "error": f"no HTTP answer over {path}: {answer[:60]!r}"
            if answer
            else f"the connection to {path} was closed without an answer"
        }
    return {"status": int(words[1])}


def _uwsgi_packet(uri: str, host: str) -> bytes:
    """A request in the uwsgi protocol: modifier1, size, modifier2, then each variable with its length.

    Source: https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html
    """
    path, _separator, query = uri.partition("?")
    variables = {
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": uri,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": host,
        "SERVER_PORT": "80",
        "REQUEST_SCHEME": "http",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "0",
        "CONTENT_LENGTH": "",
        "CONTENT_TYPE": "",
        "HTTP_HOST": host,
        "HTTP_USER_AGENT": "wsgi.stack",
    }
    body = b"".join(
        struct.pack("<H", len(text)) + text for pair in variables.items() for text in (part.encode() for part in pair)
    )
    return struct.pack("<BHB", 0, len(body), 0) + body


def _http_request(uri: str, host: str) -> bytes:
    return f"GET {uri} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: wsgi.stack\r\nConnection: close\r\n\r\n".encode()


if __name__ == "__main__":
    json.dump(ask_all(json.load(sys.stdin)), sys.stdout)
