# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a release: ``make release VERSION=0.2.0``. What it does, and what is left to do, is in RELEASING.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
GALAXY = ROOT / "galaxy.yml"
FRAGMENTS = ROOT / "changelogs/fragments"
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


def objection(version: str, released: list[str], sections: set[str]) -> str:
    """What is wrong with a version, or "". Pure.

    :param released: the versions that there are
    :param sections: those of the changelog that the release has entries in
    """
    if not VERSION.fullmatch(version):
        return f"VERSION: {version!r} is invalid; use three numbers, as in 0.2.0 (https://semver.org/)."
    if not sections:
        return "changelogs/fragments has no changes; there is nothing to release."
    if not released:
        return ""
    last = max(map(_numbers, released))
    new = _numbers(version)
    if new <= last:
        return f"VERSION: {version} is not above the last release, {'.'.join(map(str, last))}."
    breaking = bool(sections & {"breaking_changes", "removed_features"})
    added = bool(sections & {"major_changes", "minor_changes", "deprecated_features"})
    least = 0 if breaking and last[0] else 1 if breaking or added else 2
    if new[: least + 1] <= last[: least + 1]:
        number = ("first", "middle", "last")[least]
        above = ".".join(map(str, last))
        return f"VERSION: {version} has to raise the {number} number of {above}, for what is in changelogs/fragments."
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def run(*command: str) -> str:
    """Run a program, or end."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}")
    return done.stdout.strip()


def main(version: str) -> None:
    """Make a release."""
    if run("git", "status", "--porcelain"):
        sys.exit("There are changes that are not committed; commit them or put them away.")
    if run("git", "branch", "--show-current") != "main":
        sys.exit("This is not the branch main; check it out.")
    released = list(yaml.safe_load((ROOT / "changelogs/changelog.yaml").read_text())["releases"])
    sections = {section for path in FRAGMENTS.glob("*.yml") for section in yaml.safe_load(path.read_text())}
    wrong = objection(version, released, sections)
    if wrong:
        sys.exit(wrong)
    GALAXY.write_text(re.sub(r"(?m)^version: .*$", f"version: {version}", GALAXY.read_text()))
    run("antsibull-changelog", "lint")
    run("antsibull-changelog", "release", "--version", version)
    if subprocess.run([sys.executable, ROOT / "tests/run.py", "package"], check=False).returncode:
        sys.exit("The archive is not fit for a release; 'git checkout .' takes back what was changed.")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", f"Release {version}")
    run("git", "tag", "--annotate", version, "--message", f"Release {version}")
    print(f"\n{version} is committed and tagged. RELEASING.md says how to publish it.")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
