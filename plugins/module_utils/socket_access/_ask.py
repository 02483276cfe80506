# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Send requests to app servers over their sockets, in the protocol that nginx uses.

This file imports nothing of ours: its text also runs as a program, as another user.
"""

from __future__ import annotations

import errno
import json
import re
import socket
import struct
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

ANSWER_BYTES = 65536
"""Maximum number of bytes read of an answer."""

CREDENTIALS = struct.Struct("iII")
"""A process id, a user id and a group id (struct ucred)."""

SCM_CREDENTIALS = 2
"""See unix(7); the module socket has no name for it."""


def ask_all(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send many requests at the same time, each as ``ask`` does, so that a slow server does not delay the others.

    :returns: the answers in the order of the questions
    """
    with ThreadPoolExecutor(max_workers=max(1, len(questions))) as pool:
        return list(pool.map(lambda question: ask(**question), questions))


def ask(path: str, protocol: str, uri: str, host: str, timeout: float, scheme: str = "http") -> dict[str, Any]:
    """Send ``GET uri`` and read the status of the answer.

    :param path: the path of the unix socket
    :param protocol: ``uwsgi`` or ``http``
    :param timeout: seconds for the whole exchange
    :param scheme: the one of the visitor's URL
    :returns: {"status": 200, "location": "", "sender": 1234}, see ``attempt``, or {"error": message}; never raises because of the
        other side
    """
    found = attempt(f"unix:{path}", protocol, uri, host, timeout, scheme=scheme)
    if found["stage"] == "done" and "error" not in found:
        return {name: found[name] for name in ("status", "location", "sender")}
    stage = f"cannot connect to {path}" if found["stage"] == "connect" else f"no answer over {path}"
    if found["error"] == "ETIMEDOUT":
        return {"error": f"{stage} within {timeout:.0f} s"}
    if found["error"] == "EOF":
        return {"error": f"the connection to {path} was closed without an answer"}
    if found["error"] == "EPROTO":
        return {"error": f"no HTTP answer over {path}: {found['text']!r}"}
    return {"error": f"{stage}: {found['text']}"}


def attempt(
    address: str,
    protocol: str,
    uri: str,
    host: str,
    timeout: float,
    method: str = "GET",
    scheme: str = "http",
    close_after: float | None = None,
    on_close: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Connect, send a request, and read the status of the answer.

    :param address: ``unix:/path``, ``unix:@name`` of the abstract namespace, or ``host:port``
    :param protocol: ``uwsgi`` or ``http``; "" only connects
    :param timeout: seconds for the whole exchange
    :param close_after: seconds after which ``on_close`` is called and the sending side is shut down
    :returns: ``stage``: ``connect``, ``answer`` or ``done``, which it is from the status line on; ``status`` and ``location``
        of the answer;
        ``error``, also one while the rest of the answer came: the name of an errno, EOF if the connection was closed, EPROTO if
        the answer is not HTTP, GAI if a name does not resolve; ``text``: the error as text, or the beginning of the answer;
        ``peer``: see the function ``peer``; ``sender``: the id of the process that sent the answer, as the kernel says, 0 if that
        is not known
    """
    began = time.monotonic()
    found: dict[str, Any] = {"stage": "connect", "sender": 0}
    answer = b""
    try:
        with _connected(address, timeout) as connection:
            found.update(stage="answer", peer=peer(connection))
            if connection.family == socket.AF_UNIX:  # not before it is connected, or it would get a name, see unix(7)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            if not protocol:
                return {**found, "stage": "done", "status": None}
            encode = _uwsgi_packet if protocol == "uwsgi" else _http_request
            connection.sendall(encode(uri, host, method, scheme))
            # Read to the end, though the first line is enough: apps log an error if their answer is cut off.
            while len(answer) < ANSWER_BYTES:
                waited = time.monotonic() - began
                if waited >= timeout:  # also if the server sends a byte now and then
                    raise socket.timeout
                early = close_after is not None and waited < close_after
                connection.settimeout(max(0.1, (close_after if close_after is not None and early else timeout) - waited))
                try:
                    part, sender = _received(connection)
                except socket.timeout:
                    if not early:
                        raise
                    connection.shutdown(socket.SHUT_WR)
                    on_close()
                    continue
                if not part:
                    break
                answer += part
                found["sender"] = found["sender"] or sender
    except socket.timeout:
        begun = {"stage": "done", "status": _status(answer)} if _status(answer) else {}
        return {**found, **begun, "error": "ETIMEDOUT", "text": "timed out"}
    except socket.gaierror as error:
        return {**found, "error": "GAI", "text": error.strerror}
    except ValueError as error:  # an address without a port, or a host name that is none
        return {**found, "error": "EINVAL", "text": str(error)}
    except OSError as error:
        begun = {"stage": "done", "status": _status(answer)} if _status(answer) else {}
        return {**found, **begun, "error": errno.errorcode.get(error.errno or 0, ""), "text": str(error.strerror or error)}
    if _status(answer):
        return {**found, "stage": "done", "status": _status(answer), "location": _location(answer)}
    words = answer[:60].decode(errors="replace")
    return {**found, "error": "EPROTO" if answer else "EOF", "text": words}


def _connected(address: str, timeout: float) -> socket.socket:
    if not address.startswith("unix:"):
        host, _colon, port = address.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), max(0.1, timeout))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(max(0.1, timeout))
        path = address[len("unix:") :]
        connection.connect("\0" + path[1:] if path.startswith("@") else path)
    except BaseException:
        connection.close()
        raise
    return connection


def _received(connection: socket.socket) -> tuple[bytes, int]:
    """What came, b"" at the end, and the id of the process that sent it, 0 if that is not known; see SO_PASSCRED in unix(7)."""
    part, ancillary, _flags, _address = connection.recvmsg(4096, socket.CMSG_SPACE(CREDENTIALS.size))
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, SCM_CREDENTIALS) and len(data) >= CREDENTIALS.size:
            return part, CREDENTIALS.unpack(data[: CREDENTIALS.size])[0]
    return part, 0


def peer(connection: socket.socket) -> list[int]:
    """The process id and user id of the listening process, from SO_PEERCRED of unix(7); [] for TCP."""
    if connection.family != socket.AF_UNIX:
        return []
    return list(CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)))[:2]


def _status(answer: bytes) -> int:
    """The status of an HTTP answer, 0 if it is none."""
    found = re.match(rb"HTTP/[0-9.]+ +([1-9][0-9]{2})(?![0-9])", answer)
    return int(found[1]) if found else 0


def _location(answer: bytes) -> str:
    """Where an answer redirects to, without the query, in which there may be a secret; "" if it does not say."""
    head = answer.partition(b"\r\n\r\n")[0]
    found = re.search(rb"\r\nLocation:[ \t]*([^\r\n?#]{1,200})", head, re.IGNORECASE)
    return found[1].decode(errors="replace").strip() if found else ""


def _uwsgi_packet(uri: str, host: str, method: str = "GET", scheme: str = "http") -> bytes:
    """Encode a request in the uwsgi protocol: modifier1, size, modifier2, then each variable with its length.

    Source: https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html
    """
    path, _separator, query = uri.partition("?")
    variables = {
        "REQUEST_METHOD": method,
        "REQUEST_URI": uri,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": host,
        "SERVER_PORT": "443" if scheme == "https" else "80",
        "REQUEST_SCHEME": scheme,
        **({"HTTPS": "on"} if scheme == "https" else {}),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "0",
        "CONTENT_LENGTH": "",
        "CONTENT_TYPE": "",
        "HTTP_HOST": host,
        "HTTP_USER_AGENT": "wsgi.stack",
        "HTTP_X_FORWARDED_PROTO": scheme,
    }
    body = b"".join(
        struct.pack("<H", len(text)) + text for pair in variables.items() for text in (part.encode() for part in pair)
    )
    return struct.pack("<BHB", 0, len(body), 0) + body


def _http_request(uri: str, host: str, method: str = "GET", scheme: str = "http") -> bytes:
    headers = {"Host": host, "User-Agent": "wsgi.stack", "X-Forwarded-Proto": scheme, "Connection": "close"}
    return "\r\n".join([f"{method} {uri} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


if __name__ == "__main__":
    json.dump(ask_all(json.load(sys.stdin)), sys.stdout)
