# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Where an app's things lie: every path, unit name and socket name is made here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._app import Account, App

SLOTS = ("blue", "green")
DIRECTORY = "/srv/wsgi"
RUNTIME_DIRECTORY = "/run/wsgi"

UNITS = "/etc/systemd/system"

TIMER_STAMPS = "/var/lib/systemd/timers"

EMPEROR = "wsgi-emperor.service"
EMPEROR_STATS = "/run/wsgi-emperor/stats.sock"
VASSALS_AVAILABLE = "/etc/uwsgi/apps-available"
VASSALS_ENABLED = "/etc/uwsgi/apps-enabled"

SUPERVISOR = "supervisor.service"
PROGRAMS = "/etc/supervisor/conf.d"
PROGRAM_LOGS = "/var/log/supervisor/wsgi"

SOURCE = "wsgi-source"
BUILD = "wsgi-build"
"""The units that fetch and build an app, and what they keep below /var/cache, begin with these."""

SOCKET_PATH_BYTES = 102
"""The longest path of a slot's socket. sockaddr_un.sun_path would hold 107 bytes and a NUL (unix(7)), but the uWSGI Emperor
refuses more than 102 (bind_to_unix() in core/socket.c)."""


def other(slot: str) -> str:
    """The slot that is not ``slot``."""
    return SLOTS[1 - SLOTS.index(slot)]


def cache(purpose: str, name: str) -> tuple[str, str]:
    """What a unit keeps for an app: the directory, which only root finds, and the link to it, see DynamicUser= in
    systemd.exec(5)."""
    return f"/var/cache/private/{purpose}/{name}", f"/var/cache/{purpose}/{name}"


def build_unit(purpose: str, name: str) -> str:
    """The unit in which a step of an app's build runs, one at a time."""
    return f"{purpose}-{name}"


class Layout:
    """The paths of one app.

    :param name: the app's name, which is its user's and its group's name too
    :param directory: the root of all apps' builds and releases
    :param runtime_directory: the root of all apps' sockets
    """

    def __init__(self, name: str, directory: str = DIRECTORY, runtime_directory: str = RUNTIME_DIRECTORY):
        self.name = name
        self.directory = os.path.join(directory, name)
        self.runtime_directory = os.path.join(runtime_directory, name)
        self.source_cache = cache(SOURCE, name)
        self.build_cache = cache(BUILD, name)
        self.shared = os.path.join(self.directory, "shared")
        self.builds = os.path.join(self.directory, "builds")
        self.releases = os.path.join(self.directory, "releases")
        self.slots = os.path.join(self.directory, "slots")
        self.current = os.path.join(self.directory, "current")
        self.previous = os.path.join(self.directory, "previous")
        self.live_socket = os.path.join(self.runtime_directory, "app.sock")
        self.preview_socket = os.path.join(self.runtime_directory, "preview.sock")
        self.preview = os.path.join(self.directory, "preview")
        self.history = os.path.join(self.directory, "history")
        self.boot_link = f"/etc/tmpfiles.d/wsgi-live-{name}.conf"
        self.build_lock, self.release_lock, self.rollout_lock = f"build-{name}", f"release-{name}", f"rollout-{name}"

    def build(self, digest: str) -> str:
        """The directory of a build: ``source``, ``venv`` and ``build.json`` are in it."""
        return os.path.join(self.builds, digest)

    def kept(self, build: str) -> str:
        """What the source of a build has where the app's shared paths are, for the first release that shares them.

        :param build: the directory of the build
        """
        return os.path.join(build, "shared")

    def release(self, number: int) -> str:
        """The directory of a release: ``build`` (a link), ``run``, ``serve`` and the server's configuration are in it."""
        return os.path.join(self.releases, str(number))

    def slot(self, slot: str) -> str:
        """The link that names the release which a slot runs."""
        return os.path.join(self.slots, slot)

    def socket(self, slot: str) -> str:
        """The socket of a slot; the live socket is a link to one of them."""
        return os.path.join(self.runtime_directory, f"{slot}.sock")

    def instance(self, slot: str) -> str:
        """What a slot is called by whatever runs it, and in the journal."""
        return f"wsgi-{slot}@{self.name}"

    def upstream(self, protocol: str) -> str:
        """The link to the live slot's socket that nginx knows: the live socket, but over HTTP one of its own.

        When an app changes from one protocol to the other, nginx's old workers and its new ones need one each.
        """
        return self.live_socket if protocol == "uwsgi" else os.path.join(self.runtime_directory, f"app.{protocol}.sock")

    def unit(self, slot: str) -> str:
        """The systemd unit of a slot on the ``uwsgi`` stack."""
        return f"{self.instance(slot)}.service"

    def socket_unit(self, slot: str) -> str:
        """The systemd unit that holds the socket of a slot on the ``uwsgi`` stack."""
        return f"{self.instance(slot)}.socket"

    def recovery_unit(self, slot: str) -> str:
        """The systemd unit that starts a live slot of the ``uwsgi`` stack again after it failed to start."""
        return f"wsgi-recover-{slot}@{self.name}.service"

    def worker_template(self, worker: str, slot: str) -> str:
        """The template unit of a worker; its instances are numbers."""
        return f"wsgi-{self.name}.{worker}-{slot}@.service"

    def worker_unit(self, worker: str, slot: str, number: int) -> str:
        """The unit of a process of a worker."""
        return f"wsgi-{self.name}.{worker}-{slot}@{number}.service"

    def worker_units(self, slot: str) -> str:
        """A pattern for the units of all workers of a slot. A dot is in no name of an app."""
        return self.worker_template("*", slot).replace("@.", "@*.")

    def job_unit(self, timer: str, slot: str) -> str:
        """The unit in which a slot does what a timer runs."""
        return f"wsgi-{self.name}.{timer}-{slot}.service"

    def timer_unit(self, timer: str) -> str:
        """The unit of a timer, which starts the job of the live slot."""
        return f"wsgi-{self.name}.{timer}.timer"

    def timer_stamp(self, timer: str) -> str:
        """Where systemd keeps when a timer last elapsed."""
        return f"{TIMER_STAMPS}/stamp-{self.timer_unit(timer)}"

    def unit_options(self, slot: str) -> str:
        """The drop-in of the unit of a slot on the ``uwsgi`` stack."""
        return f"{UNITS}/{self.unit(slot)}.d/wsgi.conf"

    def emperor_options(self, slot: str) -> str:
        """The drop-in of the Emperor's unit with what a slot on the ``uwsgi_emperor`` stack needs."""
        return f"{UNITS}/{EMPEROR}.d/{self.instance(slot)}.conf"

    def vassal(self, slot: str) -> str:
        """The file of a slot on the ``uwsgi_emperor`` stack."""
        return os.path.join(VASSALS_AVAILABLE, f"{self.instance(slot)}.ini")

    def vassal_link(self, slot: str) -> str:
        """The link that has the Emperor run a slot."""
        return os.path.join(VASSALS_ENABLED, f"{self.instance(slot)}.ini")

    def vassal_socket(self, slot: str) -> str:
        """The file that has the Emperor hold the socket of a slot, and start it at the first request."""
        return f"{self.vassal_link(slot)}.socket"

    def program(self, slot: str) -> str:
        """The file with the program of supervisor's that a slot is on the ``gunicorn_supervisor`` stack."""
        return os.path.join(PROGRAMS, f"{self.instance(slot)}.conf")

    def program_log(self, slot: str, stream: str) -> str:
        """The file that supervisor writes a program's ``stdout`` or ``stderr`` to."""
        return os.path.join(PROGRAM_LOGS, f"{self.instance(slot)}.{stream}.log")


def working_directory(app: App, build: Mapping[str, Any]) -> str:
    """The directory that a release of the app runs in.

    :param build: has the ``path``
    """
    source = f"{build['path']}/source"
    return source if app["working_directory"] == "." else f"{source}/{app['working_directory']}"


def variables(app: App, build: str) -> dict[str, str]:
    """The variables that every command of an app finds, in a build and in a release of it.

    :param build: the directory of the build
    """
    return {
        "PATH": f"{build}/venv/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "VIRTUAL_ENV": f"{build}/venv",
        "WSGI_APP": app["name"],
        "WSGI_SHARED": of(app).shared,
    }


def of(app: Account) -> Layout:
    """The layout of a resolved app (see ``apps._resolve.resolve``)."""
    return Layout(app["name"], os.path.dirname(app["directory"]), os.path.dirname(app["runtime_directory"]))
