# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a play takes, as a ratio to what else it could be compared with: ``make benchmark``.

Everything is measured in one run on one machine, so that only ratios matter:

- to ``ansible -m ping -b``, the least that an Ansible run on the host takes;
- to the usual way, builtin modules in loops over the apps (``baseline/looped.yml``);
- to a shell script that makes the first deployment of one app (``baseline/deploy.sh``);
- to an earlier commit of this collection, if one is given.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from target import HERE, REPORTS, ROOT, Target, bars, play, report, run, target

OLD = REPORTS / "earlier"

EARLIER = "9be0b7b"
"""The last commit without a survey: each play ran every step."""


@dataclass(frozen=True)
class Row:
    """A measurement.

    :ivar seconds: the median of the repetitions
    :ivar compared: what it is compared with, and that one's seconds
    """

    what: str
    seconds: float
    compared: tuple[tuple[str, float], ...] = ()

    def beside(self, name: str, taken: float) -> Row:
        """The same, compared with one thing more."""
        return replace(self, compared=(*self.compared, (name, taken)))


def seconds(work: Callable[[], object], repetitions: int) -> float:
    """The median of what something takes."""
    taken = []
    for _repetition in range(repetitions):
        began = time.monotonic()
        work()
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


def apps(count: int, code: Path = HERE / "app") -> list[dict[str, object]]:
    """So many apps, of which the first has the code."""
    names = [f"bench-{number:03}" for number in range(1, count + 1)]
    keys = {"entry_point": "app:app", "processes": 2, "threads": 2}
    found = [{"name": name, "mount": f"/{name}", "source": {"directory": str(HERE / "app")}, **keys} for name in names]
    found[0]["source"] = {"directory": str(code)}
    return found


class Changes:
    """Code that is new each time."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.count = 0

    def next(self) -> Path:
        self.count += 1
        code = self.directory / str(self.count)
        code.mkdir()
        for file in (HERE / "app").iterdir():
            (code / file.name).write_bytes(file.read_bytes())
        (code / "changed").write_text(str(self.count))
        return code


def measure(ours: Target, earlier: Target | None, usual: Target, count: int, repetitions: int, changes: Changes) -> list[Row]:
    """Plays that change nothing, and that change the code of one app.

    Each side has a host of its own: what the sides do differently would be done again at each change of sides.
    """

    def nothing(host: Target, cwd: Path = ROOT) -> float:
        return seconds(lambda: host.play({"wsgi_apps": apps(count)}, cwd=cwd), repetitions)

    def code(host: Target, cwd: Path = ROOT) -> float:
        return seconds(lambda: host.play({"wsgi_apps": apps(count, changes.next())}, cwd=cwd), repetitions)

    ours.play({"wsgi_apps": apps(count)})
    ping = ("ping", seconds(ours.ping, repetitions))
    unchanged = Row(f"nothing changed, {count} apps", nothing(ours), (ping,))
    changed = Row(f"one app's code changed, of {count}", code(ours), (ping,))
    if earlier:
        earlier.play({"wsgi_apps": apps(count)}, cwd=OLD)
        unchanged = unchanged.beside("earlier commit", nothing(earlier, OLD))
        changed = changed.beside("earlier commit", code(earlier, OLD))
    if count > 1:
        unchanged = unchanged.beside("looped tasks", looped(usual, count))
    return [unchanged, changed]


def looped(host: Target, count: int) -> float:
    """What a play takes that changes nothing, in the usual way."""
    variables = {"apps": [f"bench-{number:03}" for number in range(1, count + 1)], "code": str(HERE / "app")}
    host.play(variables, HERE / "baseline/looped.yml")
    return seconds(lambda: host.play(variables, HERE / "baseline/looped.yml"), 1)


def first(options: argparse.Namespace) -> Row:
    """The first deployment of an app, on a host without anything."""
    with target(f"{options.host}-first", options.debian) as host:
        ours = seconds(lambda: host.play({"wsgi_apps": [{**apps(1)[0], "mount": "/"}]}), 1)
    with target(f"{options.host}-first", options.debian) as host:
        host.copy(HERE / "app", "/root/app")
        host.copy(HERE / "baseline/deploy.sh", "/root/deploy.sh")
        script = seconds(lambda: host.sh("apt-get update -qq; sh /root/deploy.sh bench /root/app"), 1)
    return Row("first deployment of an app", ours, (("shell script", script),))


def processor_seconds(work: Callable[[], object]) -> float:
    """What something takes of the controller's processors, SSH included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fleet(options: argparse.Namespace) -> list[Row]:
    """What a play that changes nothing takes of the controller for each host of a fleet."""
    rows = []
    with contextlib.ExitStack() as stack:
        names = [f"{options.host}-fleet-{number}" for number in range(options.fleet)]
        hosts = [stack.enter_context(target(name, options.debian, "prepared")) for name in names]
        inventories = [host.inventory for host in hosts]

        def nothing(forks: int, cwd: Path) -> None:
            play(inventories, {"wsgi_apps": apps(1)}, "playbooks/site.yml", "--forks", forks, cwd=cwd)

        for forks in (5, 10):
            taken = {}
            for name, cwd in (("earlier commit", OLD), ("ours", ROOT)):
                if cwd != OLD or options.earlier:
                    nothing(forks, cwd)
                    taken[name] = processor_seconds(lambda cwd=cwd, forks=forks: nothing(forks, cwd)) / len(hosts)
            ours = taken.pop("ours")
            rows.append(Row(f"controller's CPU for a host of {len(hosts)}, {forks} forks", ours, tuple(taken.items())))
    return rows


def table(rows: list[Row]) -> str:
    """The measurements in Markdown."""
    lines = ["| play | s | compared with | s | ratio |", "| --- | --: | --- | --: | --: |"]
    for row in rows:
        for name, taken in row.compared:
            lines.append(f"| {row.what} | {row.seconds:.2f} | {name} | {taken:.2f} | {row.seconds / taken:.2f} |")
    return "\n".join(lines)


def plot(rows: list[Row]) -> str:
    """The same as bars, each row with a scale of its own."""
    return "\n\n".join(bars(f"{row.what}, seconds", [("wsgi.stack", row.seconds), *row.compared]) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apps", type=int, nargs="*", default=[1, 10, 100], help="how many apps there are, one after the other")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--fleet", type=int, default=10, help="how many hosts the fleet has; 0 leaves it out")
    parser.add_argument("--earlier", default=EARLIER, help="a commit of this collection to compare with; empty for none")
    parser.add_argument("--debian", default="12", help="the release of Debian that the hosts run")
    parser.add_argument(
        "--host", default="wsgi-stack-plays", help="how the names of the hosts begin, which are removed in the end"
    )
    options = parser.parse_args()

    rows: list[Row] = []
    if options.earlier:
        run(["git", "worktree", "add", "--detach", "--force", OLD, options.earlier])
    try:
        with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:

            def host(side: str) -> Target:
                return stack.enter_context(target(f"{options.host}-{side}", options.debian, "prepared"))

            ours, earlier, usual = host("ours"), host("earlier") if options.earlier else None, host("looped")
            changes = Changes(Path(directory))
            for count in options.apps:
                rows += measure(ours, earlier, usual, count, options.repetitions, changes)
        if options.fleet:
            rows += fleet(options)
        rows.append(first(options))
    finally:
        if options.earlier:
            run(["git", "worktree", "remove", "--force", OLD])
        report("plays.md", f"{table(rows)}\n\n{plot(rows)}\n")


if __name__ == "__main__":
    main()
