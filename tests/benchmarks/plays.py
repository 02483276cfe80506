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
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
HOST = ROOT / "tests/images/host"
REPORT = ROOT / "build/benchmarks/plays.md"
OLD = ROOT / "build/benchmarks/earlier"
PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True)
class Row:
    """A measurement.

    :ivar seconds: the median of the repetitions
    :ivar compared: what it is compared with, and that one's seconds
    """

    what: str
    seconds: float
    compared: tuple[tuple[str, float], ...] = ()


def run(command: list[object], cwd: Path = ROOT) -> str:
    """What a command prints.

    :raises SystemExit: it failed
    """
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command[:4]))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Target:
    """A host that is new."""

    def __init__(self, name: str, debian: str):
        self.name = name
        run([HOST, "down", name])
        self.inventory = run([HOST, "up", name, "--debian", debian]).splitlines()[-1]

    def down(self) -> None:
        run([HOST, "down", self.name])

    def ping(self) -> None:
        run([PROGRAMS / "ansible", "wsgi", "-i", self.inventory, "-m", "ping", "-b"])

    def play(self, variables: dict[str, object], playbook: object = "playbooks/site.yml", cwd: Path = ROOT) -> None:
        """Run a playbook.

        :param cwd: of the checkout that it belongs to
        """
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump(variables, file)
            file.flush()
            run([PROGRAMS / "ansible-playbook", "-i", self.inventory, playbook, "-e", f"@{file.name}"], cwd)

    def sh(self, script: str, *arguments: str) -> None:
        run(["docker", "exec", self.name, "sh", "-euc", script, "sh", *arguments])


@contextmanager
def host(name: str, debian: str):
    """A host that is gone at the end."""
    target = Target(name, debian)
    try:
        yield target
    finally:
        target.down()


def seconds(work: Callable[[], None], repetitions: int) -> float:
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


def measure(target: Target, count: int, repetitions: int, changes: Changes, earlier: bool) -> list[Row]:
    """Plays that change nothing, and that change the code of one app."""

    def nothing(cwd: Path = ROOT) -> None:
        target.play({"wsgi_apps": apps(count)}, cwd=cwd)

    def code(cwd: Path = ROOT) -> None:
        target.play({"wsgi_apps": apps(count, changes.next())}, cwd=cwd)

    ping = ("ping", seconds(target.ping, repetitions))
    rows = []
    for what, play in ((f"nothing changed, {count} apps", nothing), (f"one app's code changed, of {count}", code)):
        compared = [ping]
        if earlier:
            nothing(OLD)  # what the two do differently is done once
            compared.append(("earlier commit", seconds(lambda play=play: play(OLD), repetitions)))
        nothing()
        rows.append(Row(what, seconds(play, repetitions), tuple(compared)))
    return rows


def looped(target: Target, count: int) -> float:
    """What a play takes that changes nothing, in the usual way."""
    variables = {"apps": [f"bench-{number:03}" for number in range(1, count + 1)], "code": str(HERE / "app")}
    target.play(variables, HERE / "baseline/looped.yml")
    return seconds(lambda: target.play(variables, HERE / "baseline/looped.yml"), 1)


def first(options: argparse.Namespace) -> Row:
    """The first deployment of an app, on a host without anything."""
    with host(f"{options.host}-first", options.debian) as target:
        ours = seconds(lambda: target.play({"wsgi_apps": [{**apps(1)[0], "mount": "/"}]}), 1)
    with host(f"{options.host}-first", options.debian) as target:
        run(["docker", "cp", HERE / "app", f"{target.name}:/root/app"])
        run(["docker", "cp", HERE / "baseline/deploy.sh", f"{target.name}:/root/deploy.sh"])
        script = seconds(lambda: target.sh("apt-get update -qq; sh /root/deploy.sh bench /root/app"), 1)
    return Row("first deployment of an app", ours, (("shell script", script),))


def table(rows: list[Row]) -> str:
    """The measurements in Markdown."""
    lines = ["| play | s | compared with | s | ratio |", "| --- | --: | --- | --: | --: |"]
    for row in rows:
        for name, taken in row.compared:
            lines.append(f"| {row.what} | {row.seconds:.1f} | {name} | {taken:.1f} | {row.seconds / taken:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apps", type=int, nargs="+", default=[1, 10, 100], help="how many apps there are, one after the other")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--earlier", help="a commit of this collection to compare with")
    parser.add_argument("--debian", default="12", help="the release of Debian that the hosts run")
    parser.add_argument(
        "--host", default="wsgi-stack-plays", help="how the names of the hosts begin, which are removed in the end"
    )
    options = parser.parse_args()

    if options.earlier:
        run(["git", "worktree", "add", "--detach", "--force", OLD, options.earlier])
    try:
        with tempfile.TemporaryDirectory() as directory, host(options.host, options.debian) as target:
            changes = Changes(Path(directory))
            rows = [
                row
                for count in options.apps
                for row in measure(target, count, options.repetitions, changes, bool(options.earlier))
            ]
        with host(f"{options.host}-looped", options.debian) as target:
            for at, row in enumerate(rows):
                count = next((count for count in options.apps if row.what == f"nothing changed, {count} apps"), 0)
                if count > 1:
                    rows[at] = Row(row.what, row.seconds, (*row.compared, ("looped tasks", looped(target, count))))
        rows.append(first(options))
    finally:
        if options.earlier:
            run(["git", "worktree", "remove", "--force", OLD])
    report = table(rows) + "\n"
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(report)
    print(report)


if __name__ == "__main__":
    main()
