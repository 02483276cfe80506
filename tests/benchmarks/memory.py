# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory an app takes on each stack: ``make benchmark``.

A host in Docker is deployed with some small Flask apps, on one stack after the other. What is counted is the proportional set
size (PSS): of a page that several processes share, each of them has its part, so that the numbers of all of them add up.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass

from target import HERE, Target, report, target

STACKS = ("uwsgi", "uwsgi_emperor", "gunicorn_supervisor")

IDLE = 5
"""Seconds without a request until an app falls asleep, in the measurement of apps that do."""

ASLEEP_TIMEOUT = 120
"""Seconds until all of them have to have done so."""

# What the host is asked, by a Python of its own.
MEASURE = r"""
import json, os, pwd, subprocess, sys

service, *users = sys.argv[1:]
ids = {pwd.getpwnam(user).pw_uid for user in users}
main = ""
if service:
    main = subprocess.check_output(["systemctl", "show", "-P", "MainPID", service], text=True).strip()
found = {"apps": 0, "service": 0, "host": 0, "processes": 0}
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid():
        continue
    try:
        with open(f"/proc/{pid}/smaps_rollup") as stream:
            pss = next(int(line.split()[1]) for line in stream if line.startswith("Pss:"))
        with open(f"/proc/{pid}/status") as stream:
            owner = next(int(line.split()[1]) for line in stream if line.startswith("Uid:"))
    except (OSError, StopIteration):
        continue  # it has ended, or is the kernel's
    found["host"] += pss
    found["service"] += pss if pid == main else 0
    found["apps"] += pss if owner in ids else 0
    found["processes"] += owner in ids
print(json.dumps(found))
"""

ASK = r"""
import http.client, json, sys, time
from concurrent.futures import ThreadPoolExecutor

count, *mounts = sys.argv[1:]

def ask(mount):
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", timeout=60)
    connection.request("GET", mount + "/")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        sys.exit(f"{mount} answered {answer.status}")
    return time.monotonic() - began

with ThreadPoolExecutor(4) as pool:
    print(json.dumps([seconds for mount in mounts for seconds in pool.map(ask, [mount] * int(count))]))
"""


@dataclass(frozen=True)
class Memory:
    """What some apps took at a moment, in MiB: all of their processes, the service that runs them, and everything on the host."""

    stack: str
    state: str
    apps: float
    service: float
    host: float
    processes: int


class Benchmark:
    """A host with apps on it.

    :param count: how many apps
    """

    def __init__(self, host: Target, count: int):
        self.host = host
        self.names = [f"bench-{number:03}" for number in range(1, count + 1)]

    def deploy(self, **keys: object) -> None:
        """Run the site's playbook for all the apps."""
        source = {"directory": str(HERE / "app")}
        apps = [
            {"name": name, "mount": f"/{name}", "source": source, "entry_point": "app:app", "processes": 2, "threads": 2, **keys}
            for name in self.names
        ]
        self.host.play({"wsgi_apps": apps})

    def ask(self, count: int) -> list[float]:
        """Ask each app so often, through nginx; the seconds that each answer took."""
        return json.loads(self.host.python(ASK, str(count), *(f"/{name}" for name in self.names)))

    def measure(self, stack: str, state: str) -> Memory:
        """Add up what the processes have."""
        service = {"uwsgi_emperor": "wsgi-emperor", "gunicorn_supervisor": "supervisor"}.get(stack, "''")
        found = json.loads(self.host.python(MEASURE, service, *self.names))
        apps, shared, host = (found[key] / 1024 for key in ("apps", "service", "host"))
        print(f"{stack}, {state}: {apps / len(self.names):.1f} MiB an app in {found['processes']} processes", file=sys.stderr)
        return Memory(stack, state, apps, shared, host, found["processes"])

    def measure_asleep(self) -> Memory:
        """The same when no app has a process any more."""
        deadline = time.monotonic() + ASLEEP_TIMEOUT
        while time.monotonic() < deadline:
            memory = self.measure("uwsgi_emperor", "asleep")
            if not memory.processes:
                return memory
            time.sleep(2)
        raise SystemExit(f"After {ASLEEP_TIMEOUT} s there are processes of apps that should sleep after {IDLE} s.")


def table(measured: list[Memory], count: int) -> str:
    """The measurements as a table in Markdown; the ratio is that to the first stack in the same state, or else when idle."""
    first = {memory.state: memory.apps for memory in measured if memory.stack == measured[0].stack}
    lines = [
        "| stack | state | processes of an app | MiB an app | ratio | MiB of the service | MiB of the whole host |",
        "| --- | --- | --: | --: | --: | --: | --: |",
    ]
    for memory in measured:
        ratio = memory.apps / first.get(memory.state, first["idle"])
        service = f"{memory.service:.1f}" if memory.service else "-"
        lines.append(
            f"| `{memory.stack}` | {memory.state} | {memory.processes / count:g} | {memory.apps / count:.1f} | {ratio:.2f}"
            f" | {service} | {memory.host:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apps", type=int, default=10, help="how many apps there are on each stack")
    parser.add_argument("--requests", type=int, default=300, help="how many requests make an app active")
    parser.add_argument("--stacks", nargs="+", choices=STACKS, default=STACKS)
    parser.add_argument("--debian", default="13", help="the release of Debian that the host runs")
    parser.add_argument("--host", default="wsgi-stack-benchmark", help="the name of the host, which is removed in the end")
    options = parser.parse_args()

    measured = []
    words = []
    with target(options.host, options.debian) as host:
        benchmark = Benchmark(host, options.apps)
        for stack in options.stacks:
            benchmark.deploy(stack=stack)
            measured.append(benchmark.measure(stack, "idle"))
            benchmark.ask(options.requests)
            measured.append(benchmark.measure(stack, "active"))
            if stack == "uwsgi_emperor":
                benchmark.deploy(stack=stack, idle=IDLE)
                measured.append(benchmark.measure_asleep())
                awake = benchmark.ask(1)
                words.append(
                    f"The first answer of an app that slept came after {statistics.median(awake) * 1000:.0f} ms (median),"
                    f" {max(awake) * 1000:.0f} ms at the most."
                )
    head = f"{options.apps} apps, 2 processes with 2 threads each:"
    report("memory.md", "\n".join([head, "", table(measured, options.apps), "", *words, ""]))


if __name__ == "__main__":
    main()
