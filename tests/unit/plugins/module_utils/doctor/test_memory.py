# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _memory
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._memory import Memory, ServiceMemory

MIB, GIB = 1 << 20, 1 << 30
GROUP = "/system.slice/shop.service"
LOG = (
    f"2026-11-28T10:00:00+0000 web kernel: oom-kill:constraint=MEMCG,task_memcg={GROUP},task=gunicorn,pid=7,uid=9",
    "2026-11-28T11:00:00+0000 web kernel: Out of memory: Killed process 812 (mysqld) total-vm:1kB, anon-rss:1kB",
)


def service(**values):
    return Memory(8 * GIB, 4 * GIB, services={"shop.service": ServiceMemory("shop.service", **values)}, log=LOG)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, []),
        ({"killed": 2}, [("warning", "out_of_memory", _memory.LESS)]),
        (
            {"killed": 1, "limit": 150 * MIB},
            [("warning", "out_of_memory", "systemctl set-property shop.service MemoryMax=1302M")],
        ),
        (
            {"failed": True, "limit": 150 * MIB},
            [("broken", "out_of_memory", "systemctl set-property shop.service MemoryMax=1302M && systemctl restart shop")],
        ),
        ({"failed": True}, [("broken", "out_of_memory", _memory.LESS)]),
        (
            {"used": 140 * MIB, "limit": 150 * MIB},
            [("warning", "memory_limit", "systemctl set-property shop.service MemoryMax=1302M")],
        ),
        ({"used": 100 * MIB, "limit": 150 * MIB}, []),
        ({"tasks": 95, "most_tasks": 100}, [("warning", "tasks_limit", "systemctl set-property shop.service TasksMax=200")]),
        ({"tasks": 5, "most_tasks": 100}, []),
    ],
)
def test_a_service_that_lacks_memory_is_found(values, found):
    findings = _memory.judge_service("shop.service", service(**values), "systemctl restart shop")
    assert [(finding.severity, finding.code, finding.fix) for finding in findings] == found


def test_what_the_kernel_wrote_of_a_service_is_shown_with_it():
    (found,) = _memory.judge_service("shop.service", service(killed=1), "")
    assert found.evidence == (LOG[0][: _memory.LINE],)


@pytest.mark.parametrize(
    ("memory", "codes"),
    [
        (Memory(), []),
        (Memory(8 * GIB, 4 * GIB), []),
        (Memory(8 * GIB, GIB // 4), ["memory_low"]),
        (service(), ["out_of_memory"]),
        (Memory(log=LOG[:1]), ["out_of_memory"]),
    ],
)
def test_a_host_that_lacks_memory_is_found(memory, codes):
    assert [finding.code for finding in _memory.judge_host(memory)] == codes


def test_the_killed_are_named():
    assert _memory.judge_host(service())[0].message.endswith("memory ran out: mysqld.")


@pytest.mark.parametrize(
    ("value", "limit"), [("infinity", 0), ("18446744073709551615", 0), ("1024", 1024), ("", 0), ("[not set]", 0)]
)
def test_a_limit_of_systemds_is_read(value, limit):
    assert _memory._service("shop.service", {"MemoryMax": value}).limit == limit
