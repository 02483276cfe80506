# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""A resolved app: what ``apps._resolve.resolve`` makes of an entry of ``wsgi_apps``, and all later steps take.

Every key is there. What a user writes is described in the argument specification of the role ``app``.
"""

from __future__ import annotations

from typing import Any, TypedDict


class _Kind(TypedDict):
    kind: str


class Source(_Kind, total=False):
    """Where the code comes from. ``kind`` is ``git``, ``directory`` or ``package``, and that key has a value."""

    git: str | None
    version: str | None
    known_hosts: list[str] | None
    directory: str | None
    exclude: list[str] | None
    package: str | None


class Static(TypedDict):
    """A directory that nginx publishes: ``url`` with the mount, ``directory`` in the source, ``path`` on the host."""

    url: str
    directory: str
    path: str


class HealthCheck(TypedDict):
    """What an app has to answer: ``path`` with the mount, the good ``status`` codes, and ``timeout`` in seconds."""

    path: str
    status: list[int]
    timeout: int


class TLS(TypedDict):
    """TLS of an app's site. ``hsts`` in seconds; ``certificate`` and ``key`` are absolute paths, with mode ``files``."""

    mode: str
    certificate: str | None
    key: str | None
    on_host: bool
    port: int
    redirect: bool
    profile: str
    hsts: int


class App(TypedDict):
    """A resolved app. Times are seconds."""

    name: str
    stack: str
    state: str
    source: Source
    entry_point: str
    python: str
    uwsgi_install_from: str
    working_directory: str
    requirements: list[str] | None
    packages: list[str]
    system_packages: list[str]
    environment_file: str | None
    release_commands: list[str]
    processes: int | None
    threads: int
    gevent: int
    idle: int | None
    bind: str | None
    server_options: dict[str, Any]
    writable_paths: list[str]
    privileged_programs: bool
    domains: list[str]
    canonical_domain: str | None
    mount: str
    static: list[Static]
    client_max_body_size: str
    request_timeout: int
    nginx_directives: list[str]
    tls: TLS
    health_check: HealthCheck
    preview_port: int | None
    drain_timeout: int
    keep_releases: int
    user: str
    group: str
    directory: str
    runtime_directory: str
    current: str
    live_socket: str
    preview: str
    preview_socket: str
    protocol: str
    role: str
    upstream: str
