# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that benchmarks are run on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
HOST = ROOT / "tests/images/host"
REPORTS = ROOT / "build/benchmarks"
PROGRAMS = Path(sys.executable).parent


def run(command: list[object], cwd: Path = ROOT, stdin: str | None = None) -> str:
    """What a command prints.

    :raises SystemExit: it failed
    """
    done = subprocess.run(list(map(str, command)), cwd=cwd, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command[:4]))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def report(name: str, text: str) -> None:
    """Print what was measured, and keep it as a file of build/benchmarks."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / name).write_text(text)
    print(text)


def bars(what: str, values: list[tuple[str, float]], width: int = 50) -> str:
    """A plot of values that are compared with each other, the longest bar as wide as that many characters."""
    names = max(len(name) for name, _value in values)
    longest = max(value for _name, value in values)
    lines = [
        f"{name:>{names}} {'█' * max(1, round(value / longest * width))} {value:.{0 if value >= 100 else 1}f}"
        for name, value in values
    ]
    return "\n".join([what, *lines])


def play(
    inventories: list[str],
    variables: dict[str, object],
    playbook: object = "playbooks/site.yml",
    *arguments: object,
    cwd: Path = ROOT,
) -> str:
    """Run a playbook.

    :param cwd: of the checkout that it belongs to
    """
    hosts = [word for inventory in inventories for word in ("-i", inventory)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump(variables, file)
        file.flush()
        return run([PROGRAMS / "ansible-playbook", *hosts, playbook, "-e", f"@{file.name}", *arguments], cwd)


class Target:
    """A host that is new."""

    def __init__(self, name: str, debian: str, image: str = "bare"):
        self.name = name
        self.how = ("--debian", debian, "--image", image)
        run([HOST, "down", name])
        self.inventory = self._up()

    def _up(self) -> str:
        return run([HOST, "up", self.name, *self.how]).splitlines()[-1]

    def down(self) -> None:
        run([HOST, "down", self.name])

    def reboot(self) -> None:
        """Shut the host down in good order and boot it again."""
        run(["docker", "restart", "--time", "60", self.name])
        self._up()

    def ping(self) -> None:
        run([PROGRAMS / "ansible", "wsgi", "-i", self.inventory, "-m", "ping", "-b"])

    def play(self, variables: dict[str, object], playbook: object = "playbooks/site.yml", cwd: Path = ROOT) -> str:
        """Run a playbook on this host."""
        return play([self.inventory], variables, playbook, cwd=cwd)

    def sh(self, script: str, *arguments: str) -> str:
        """What a shell script prints that root runs on the host."""
        return run(["docker", "exec", self.name, "sh", "-euc", script, "sh", *arguments])

    def python(self, program: str, *arguments: str) -> str:
        """What a program prints that root's Python runs on the host."""
        return run([HOST, "ssh", self.name, "sudo", "python3", "-", *arguments], stdin=program)

    def copy(self, file: Path, to: str) -> None:
        run(["docker", "cp", file, f"{self.name}:{to}"])


@contextmanager
def target(name: str, debian: str, image: str = "bare") -> Iterator[Target]:
    """A host that is gone at the end."""
    found = Target(name, debian, image)
    try:
        yield found
    finally:
        found.down()
