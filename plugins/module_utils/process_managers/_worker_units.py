# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The units of workers and timers, as text. All of it is pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._layout import UNITS, Layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.release import _workers

HEAD = "# Managed by wsgi.stack; changes here are overwritten. For one process or job: systemctl edit"

RESTART_DELAY = 2
"""Seconds until a worker that has ended starts again."""

JOB_STOP_TIMEOUT = 30
"""Seconds that a job has to end when its slot is used again, or its app removed."""


def workers(layout: Layout, slot: str, release: Mapping[str, Any], first_host: bool) -> dict[str, str]:
    """The template units of a slot's workers, by their paths.

    :param release: the ``release.json`` of the slot's release
    """
    texts = {}
    for name, worker in _workers.of(release, first_host)[0].items():
        unit = layout.worker_template(name, slot)
        settings = {
            "Restart": "always",
            "RestartSec": str(RESTART_DELAY),
            "KillSignal": worker["stop_signal"],
            "TimeoutStopSec": str(worker["stop_timeout"]),
        }
        lines = [
            f"{HEAD} {unit}",
            *_unit(f"Worker {name} of WSGI application {layout.name}, slot {slot}, process %i", release),
            "StartLimitIntervalSec=0",
            *_service(layout, slot, release, f"{name} %i", settings),
            "",
            "[Install]",
            "WantedBy=multi-user.target",
            "",
        ]
        texts[f"{UNITS}/{unit}"] = "\n".join(lines)
    return texts


def processes(layout: Layout, slot: str, release: Mapping[str, Any], first_host: bool) -> dict[str, list[str]]:
    """The units of the processes of a slot's workers, by the workers' names."""
    return {
        name: [layout.worker_unit(name, slot, number) for number in range(1, worker["count"] + 1)]
        for name, worker in _workers.of(release, first_host)[0].items()
    }


def timers(layout: Layout, slot: str, release: Mapping[str, Any], first_host: bool) -> dict[str, str]:
    """The units of an app's timers and of the jobs that they start in a slot, by their paths."""
    texts = {}
    for name, timer in _workers.of(release, first_host)[1].items():
        unit, job = layout.timer_unit(name), layout.job_unit(name, slot)
        # Not in both slots at once. As root, since the app's user may not ask for everything that systemd knows.
        other = layout.job_unit(name, _layout.other(slot))
        settings = {
            "ExecCondition": f"+/bin/sh -c '! /usr/bin/systemctl --quiet is-active {other}'",
            "TimeoutStopSec": str(JOB_STOP_TIMEOUT),
        }
        lines = [
            f"{HEAD} {job}",
            *_unit(f"Job {name} of WSGI application {layout.name}, slot {slot}", release),
            *_service(layout, slot, release, name, settings),
            "",
        ]
        texts[f"{UNITS}/{job}"] = "\n".join(lines)
        lines = [
            f"{HEAD} {unit}",
            "[Unit]",
            f"Description=Timer {name} of WSGI application {layout.name}",
            "",
            "[Timer]",
            f"OnCalendar={timer['schedule']}",
            "AccuracySec=1s",
            "Persistent=yes",
            f"Unit={job}",
            "",
            "[Install]",
            "WantedBy=timers.target",
            "",
        ]
        texts[f"{UNITS}/{unit}"] = "\n".join(lines)
    return texts


def _unit(description: str, release: Mapping[str, Any]) -> list[str]:
    # What is to be mounted there comes first.
    mounts = [f"RequiresMountsFor={' '.join(release['writable_paths'])}"] if release["writable_paths"] else []
    return ["[Unit]", f"Description={description}", "After=network.target", *mounts]


def _service(layout: Layout, slot: str, release: Mapping[str, Any], work: str, settings: Mapping[str, str]) -> list[str]:
    lifted = _sandbox.PRIVILEGED if release["privileged_programs"] else {}
    options = {
        "Type": "exec",
        "User": layout.name,
        "Group": layout.name,
        "ExecStart": f"{layout.slot(slot)}/{_workers.SCRIPT} {work}",
        # The signal is for the process alone that was started. When it has ended, what it leaves is killed.
        "KillMode": "mixed",
        "UMask": "0027",
        **settings,
        **_sandbox.RESTRICTIONS,
        **lifted,
        **_sandbox.BESIDE_A_SLOT,
        "ReadWritePaths": " ".join([layout.shared, *release["writable_paths"]]),
    }
    return ["", "[Service]", *(f"{name}={value}" for name, value in options.items())]
