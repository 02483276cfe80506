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
    """A directory that nginx serves: ``url`` with the mount, and ``path`` on the host.

    It is ``directory`` in the source or ``shared`` in the app's shared directory. ``previous`` is the same directory in the
    release that was live before, None where that is not looked at. ``internal`` is for nothing but the app's X-Accel-Redirect.
    ``max_age`` is a time as nginx writes it, None for no header.
    """

    url: str
    directory: str | None
    shared: str | None
    internal: bool
    path: str
    previous: str | None
    max_age: str | None
    immutable: bool


class HealthCheck(TypedDict):
    """What an app has to answer: ``path`` with the mount, the good ``status`` codes, and ``timeout`` in seconds."""

    path: str
    status: list[int]
    timeout: int


class Worker(TypedDict):
    """A command that keeps running: ``count`` processes of it on each host, with ``single`` one process on one host.

    ``stop_timeout`` is in seconds; ``stop_signal`` has a name such as ``SIGTERM``.
    """

    command: str
    count: int
    single: bool
    stop_timeout: int
    stop_signal: str


class Timer(TypedDict):
    """A command that runs when a calendar event elapses (systemd.time(7)): ``on`` the ``first_host`` or ``all`` hosts."""

    command: str
    schedule: str
    on: str


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


class Account(TypedDict):
    """The keys of a resolved app that its user and its directories follow from."""

    name: str
    user: str
    group: str
    directory: str
    runtime_directory: str


class App(TypedDict):
    """A resolved app. Times are seconds.

    ``files`` has the path of each file's template on the controller, if it has one. ``first_host`` says whether this host is the
    one for workers and timers that run on one host only. ``selected`` says whether the run is about the app. ``stop_timeout`` is
    what whatever runs the app has to allow for it to stop.
    """

    name: str
    stack: str
    state: str
    source: Source
    entry_point: str
    interface: str | None
    python: str
    uwsgi_install_from: str
    working_directory: str
    requirements: list[str] | None
    extras: list[str]
    groups: list[str]
    packages: list[str]
    system_packages: list[str]
    environment_file: str | None
    files: dict[str, str | None]
    shared_paths: list[str]
    build_commands: list[str]
    release_commands: list[str]
    workers: dict[str, Worker]
    timers: dict[str, Timer]
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
    stop_timeout: int
    keep_releases: int
    user: str
    group: str
    directory: str
    runtime_directory: str
    current: str
    previous: str
    live_socket: str
    preview: str
    preview_socket: str
    protocol: str
    role: str
    upstream: str
    first_host: bool
    selected: bool
