# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Memory: what the host and its services have left, and which processes were killed for lack of it."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _findings
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import BROKEN, WARNING, Finding
from ansible_collections.wsgi.stack.plugins.module_utils.host import _systemd, _untrusted

DAY = 86400  # seconds
OUT_OF_MEMORY = "out_of_memory"
"""The code of findings about killed processes."""

LOW = 0.05
"""Fraction of the memory that is available, below which it is low."""

NEAR = 0.9
"""Fraction of a limit in use from which on it is nearly reached."""

UNIT_PROPERTIES = ("ControlGroup", "Result", "ActiveState", "MemoryMax", "TasksMax", "TasksCurrent")
GROWTH = 8
"""How many times its limit a service gets in addition; how much it needs cannot be known."""

STEP = 64 << 20
"""Limits are raised by multiples of this many bytes."""

ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified")
KILLED = re.compile(r"(?:Killed process \d+ \((.{1,16}?)\)|oom-kill:.*\btask=(.{1,16}?),pid=)")
GROUP = re.compile(r"task_memcg=\S*?/([^/,\s]+\.service)")
LESS = "Reduce the number of workers, or add memory or swap."
SHOWN = 3
"""Lines of the kernel's log that are shown."""

LINE = 200
"""Characters of a line that are shown."""


@dataclass(frozen=True)
class ServiceMemory:
    """The memory of a service.

    :ivar killed: the number of its processes that were killed for lack of memory since it was started
    :ivar used: the memory that cannot be freed, in bytes, 0 if unknown
    :ivar limit: MemoryMax in bytes, 0 without one
    :ivar failed: whether it ended for lack of memory
    :ivar tasks: its processes and threads; ``most_tasks``: TasksMax, 0 without one
    """

    unit: str
    killed: int = 0
    used: int = 0
    limit: int = 0
    failed: bool = False
    tasks: int = 0
    most_tasks: int = 0


@dataclass(frozen=True)
class Memory:
    """The memory of a host, in bytes.

    :ivar services: those of the apps, by unit
    :ivar log: what the kernel wrote when it killed a process in the last day
    """

    total: int = 0
    available: int = 0
    swap: int = 0
    services: Mapping[str, ServiceMemory] = field(default_factory=dict)
    log: tuple[str, ...] = ()


def look(units: Iterable[str]) -> Memory:
    """Read the memory of this host and of some services."""
    sizes = _pairs(_untrusted.text_or_none("/proc/meminfo") or "", 1024)
    shown = _systemd.show(units, UNIT_PROPERTIES)
    services = {name: _service(name, properties) for name, properties in shown.items()}
    since = time.time() - DAY
    text = _systemd.journal(["_TRANSPORT=kernel"], since, lines=100, dated=True, sync=False, pattern="oom-kill:|Killed process")
    lines = tuple(line for line in text.splitlines() if KILLED.search(line))
    return Memory(sizes.get("MemTotal", 0), sizes.get("MemAvailable", 0), sizes.get("SwapTotal", 0), services, lines)


def _service(name: str, properties: Mapping[str, str]) -> ServiceMemory:
    group = properties.get("ControlGroup", "")
    files: dict[str, str] = {}
    for root in ROOTS if group.startswith("/") else ():
        for each in ("memory.events", "memory.oom_control", "memory.current", "memory.usage_in_bytes", "memory.stat"):
            files[each] = files.get(each) or _untrusted.text_or_none(f"{root}{group}/{each}") or ""
    events = _pairs(files.get("memory.events", "") or files.get("memory.oom_control", ""))
    stat = _pairs(files.get("memory.stat", ""))
    used = (files.get("memory.current", "") or files.get("memory.usage_in_bytes", "")).strip()
    cached = stat.get("total_inactive_file", stat.get("inactive_file", 0))
    return ServiceMemory(
        name,
        events.get("oom_kill", 0),
        max(0, int(used) - cached) if used.isdigit() else 0,
        _limit(properties.get("MemoryMax", "")),
        properties.get("Result") == "oom-kill" and properties.get("ActiveState") == "failed",
        _limit(properties.get("TasksCurrent", "")),
        _limit(properties.get("TasksMax", "")),
    )


def _limit(value: str) -> int:
    """A limit of systemd's; what is not set is ``infinity`` or 2^64-1."""
    return int(value) if value.isdigit() and int(value) < 1 << 60 else 0


def _pairs(text: str, factor: int = 1) -> dict[str, int]:
    """The numbers in a file of the kernel's, by the word in front of each."""
    found = re.findall(r"^(\w+):?\s+(\d+)", text, re.MULTILINE)
    return {name: int(value) * factor for name, value in found}


def judge_host(memory: Memory) -> list[Finding]:
    """Find that memory is scarce, or that the kernel has killed processes of no app. Pure."""
    findings = []
    if memory.total and memory.available < LOW * memory.total:
        message = f"Memory is low: {_findings.size(memory.available)} of {_findings.size(memory.total)} are available."
        fix = f"{LESS} What takes most is shown by: ps -eo rss,user,args --sort=-rss | head."
        evidence = (f"MemAvailable {_findings.size(memory.available)}, swap {_findings.size(memory.swap)}",)
        findings.append(Finding(WARNING, "memory_low", message, evidence, fix))
    others = [line for line in memory.log if not _of_services(line, memory.services)]
    names = list(dict.fromkeys(name for line in others for pair in KILLED.findall(line) for name in pair if name))
    if names:
        message = f"The kernel has killed processes in the last day, since memory ran out: {', '.join(names[:SHOWN])}."
        findings.append(Finding(WARNING, OUT_OF_MEMORY, message, tuple(line[:LINE] for line in others[-SHOWN:]), LESS))
    return findings


def _of_services(line: str, services: Mapping[str, ServiceMemory]) -> bool:
    group = GROUP.search(line)
    return bool(group and group[1] in services)


def judge_service(unit: str, memory: Memory, restart: str) -> list[Finding]:
    """Find that a service was short of memory or of processes. Pure.

    :param restart: the command that restarts it
    """
    service = memory.services.get(unit)
    if service is None:
        return []
    findings = []
    short = shlex.quote(unit)
    log = tuple(line[:LINE] for line in memory.log if GROUP.search(line) and unit in line)[-SHOWN:]
    limited = f" Its limit is {_findings.size(service.limit)} (MemoryMax)." if service.limit else ""
    if service.killed or service.failed:
        what = f"{service.killed or 'A'} process{'es' if service.killed > 1 else ''} of {unit}"
        message = f"{what} {'were' if service.killed > 1 else 'was'} killed for lack of memory since it was started.{limited}"
        fix = _more(short, service, memory)
        if service.failed and fix != LESS:
            fix = f"{fix} && {restart}"
        findings.append(Finding(BROKEN if service.failed else WARNING, OUT_OF_MEMORY, message, log, fix))
    elif service.limit and service.used >= NEAR * service.limit:
        message = f"{unit} uses {_findings.size(service.used)} of at most {_findings.size(service.limit)} of memory (MemoryMax)."
        findings.append(Finding(WARNING, "memory_limit", message, log, _more(short, service, memory)))
    if service.most_tasks and service.tasks >= NEAR * service.most_tasks:
        message = f"{unit} has {service.tasks} of at most {service.most_tasks} processes and threads (TasksMax)."
        fix = f"systemctl set-property {short} TasksMax={2 * service.most_tasks}"
        findings.append(Finding(WARNING, "tasks_limit", message, (), fix))
    return findings


def _more(unit: str, service: ServiceMemory, memory: Memory) -> str:
    """How a service gets more memory: several times its limit, but no more than half of what is available."""
    more = min(memory.available // 2, GROWTH * service.limit) // STEP * STEP
    if service.limit and more >= STEP:
        return f"systemctl set-property {unit} MemoryMax={(service.limit + more) // (1 << 20)}M"
    return LESS


def units(services: Sequence[str]) -> list[str]:
    """The units among some names whose memory can be read."""
    return sorted({name for name in services if name.endswith(".service")})
