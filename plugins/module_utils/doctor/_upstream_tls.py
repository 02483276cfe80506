# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Whether nginx and an app agree on TLS: ``http://`` to a port that speaks TLS, or ``https://`` to one that does not."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _visit
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._backends import Backend, is_local
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._together import together
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._visit import Answer, Visit
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _edit

REFUSED = ("closed", "no_http", "no_answer", "bad_status", "wrong_protocol")
"""What a port for TLS looks like to who speaks plain HTTP, as codes of socket_access."""


def look(backends: Iterable[Backend], own: set[str], timeout: float) -> None:
    """Ask the backends of this host that may be meant in the other protocol, and put that in place of what was found."""
    suspects = [backend for backend in backends if _is_suspect(backend, own)]
    answers = together([partial(_asked, backend, timeout) for backend in suspects], 3 * timeout)
    for backend, answer in zip(suspects, answers):
        finding = judge(backend, answer) if answer else None
        if finding and backend.access:
            backend.findings = [finding, *(each for each in backend.findings if each.code != backend.access.code)]
            backend.wrong_scheme = True


def _is_suspect(backend: Backend, own: set[str]) -> bool:
    """Whether the port may speak the other protocol. Pure."""
    if backend.access is None or backend.address.startswith("unix:") or not is_local(backend.address, own):
        return False
    if all(upstream.guarded for upstream in backend.upstreams) or not backend.address.rpartition(":")[2].isdigit():
        return False
    if backend.protocol == "tls":
        return backend.access.ok
    return backend.protocol == "http" and (backend.access.code in REFUSED or backend.access.status == 400)


def _asked(backend: Backend, timeout: float) -> Answer:
    host, _colon, port = backend.address.rpartition(":")
    first = next(upstream for upstream in backend.upstreams if not upstream.guarded)
    name = next((name for name in first.names if name[:1].isalnum()), "localhost")
    tls = backend.protocol != "tls"
    return _visit.ask(Visit(host.strip("[]"), int(port), name, first.uri, tls), timeout)


def judge(backend: Backend, answer: Answer) -> Finding | None:
    """Judge what a backend answered in the protocol that nginx does not use. It reads the files that name it.

    :param answer: over TLS, or without it if nginx uses it
    """
    # A port for TLS often answers plain HTTP with 400.
    if not answer.status or (backend.protocol == "tls" and answer.status == 400):
        return None
    speaks, used = ("plain HTTP", "https") if backend.protocol == "tls" else ("TLS", "http")
    wanted = "http" if used == "https" else "https"
    message = f"Wrong protocol: {backend.address} speaks {speaks}, but nginx is configured to use {used}://."
    places = {(upstream.file, upstream.line): upstream for upstream in backend.upstreams}
    evidence = tuple(f"{file}:{line}: {used}:// to {backend.address}" for file, line in places)
    edits = []
    for (file, line), upstream in places.items():
        target = upstream.group or upstream.address
        edits.append(_edit.edit(file, line, f"{used}://{target}", f"{wanted}://{target}"))
    fix = _edit.applied(edits)
    fix = fix or f"Write {wanted}:// instead of {used}:// at {next(iter(evidence)).partition(': ')[0]}, and reload nginx."
    return Finding(BROKEN, "wrong_protocol", message, evidence, fix)
