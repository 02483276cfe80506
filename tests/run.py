# SPDX-License-Identifier: GPL-3.0-or-later
"""Run stages of checks and tests, and count them: ``.venv/bin/python tests/run.py lint sanity ...`` (``make test`` does).

A check counts as one; where pytest runs, each of its tests does. A failed check does not keep the later ones from running.
Stages run side by side, as many at once as there are processors, each with directories of its own under build. What the first one
prints is shown as it comes, and what the others do when a check has ended.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import docsite
import yaml

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
REPORTS = BUILD / "reports"
ARCHIVE = "wsgi-stack-*.tar.gz"
OLDEST_PYTHON = "3.9"  # Debian 11's, the oldest that a host may run our modules with
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

PROCESSORS = os.cpu_count() or 1


def parallel(processes: int) -> list[str]:
    """Arguments of pytest. The processes of tests/system have hosts of their own."""
    return [f"--numprocesses={min(processes, 4)}", "--no-loadscope-reorder"]


ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "NO_COLOR": "1",
    "ANSIBLE_NOCOLOR": "1",
    "MOLECULE_GLOB": "molecule/*/molecule.yml",  # said aloud, or it warns that a collection's scenarios belong elsewhere
    "PYTHONDONTWRITEBYTECODE": "1",
}

UNREACHABLE = "failed to reach any of the inventories"
LINK_TO_ANSIBLE = re.compile(rf"{UNREACHABLE}|^intersphinx inventory|undefined label: '(?!ansible_collections\.wsgi\.)")
"""Warnings of Sphinx's that follow from an inventory that cannot be fetched."""


@dataclass
class Check:
    """A command that has to end with 0.

    :ivar reports: a pattern, under the project's directory, of JUnit files that the command writes
    """

    name: str
    command: list[str | Path]
    cwd: Path = ROOT
    environment: dict[str, str] | None = None
    reports: str = ""

    def run(self, shown: bool) -> tuple[int, int, str]:
        """How many tests passed, how many failed, and what was printed.

        :param shown: what it prints is shown as it comes instead
        """
        for report in self._reports():
            report.unlink()
        environment = {**ENVIRONMENT, **(self.environment or {})}
        kept = {} if shown else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(self.command, cwd=self.cwd, env=environment, check=False, text=True, **kept)
        code = done.returncode
        suites = [suite for report in self._reports() for suite in ElementTree.parse(report).iter("testsuite")]
        total, failed, skipped = (
            sum(int(suite.get(key, 0)) for suite in suites for key in keys)
            for keys in (["tests"], ["failures", "errors"], ["skipped"])
        )
        if code or not suites:
            failed = max(failed, int(code != 0))
            total = max(total, failed, 1)
        return total - failed - skipped, failed, done.stdout or ""

    def _reports(self) -> list[Path]:
        return list(ROOT.glob(self.reports)) if self.reports else []


def project_files() -> list[Path]:
    """The files of the project as they are now, committed or not, relative to its directory."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted(Path(name) for name in set(listed.split("\0")) if name and os.path.lexists(ROOT / name))


def lint() -> Iterator[Check]:
    """What reads the files alone."""
    scripts = [path for path in project_files() if _is_shell_script(ROOT / path)]
    yield Check("ruff check", ["ruff", "check"])
    yield Check("ruff format", ["ruff", "format", "--check"])
    on_hosts = {"modules", "module_utils"}
    on_controller = {path.parent.name for path in ROOT.glob("plugins/*/*.py")} - on_hosts
    for where, python, folders in (("on hosts", OLDEST_PYTHON, on_hosts), ("on the controller", PYTHON, on_controller)):
        packages = [f"--package=ansible_collections.wsgi.stack.plugins.{folder}" for folder in sorted(folders)]
        yield Check(f"mypy, what runs {where}", ["mypy", f"--python-version={python}", *packages])
    yield Check("yamllint", ["yamllint", "--strict", "."])
    yield Check("shellcheck", ["shellcheck", *scripts])
    yield Check("ansible-lint", ["ansible-lint", "--profile", "production", "--strict", "--nocolor"])
    yield Check("antsibull-changelog", ["antsibull-changelog", "lint"])


def _is_shell_script(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.readline().strip() in (b"#!/usr/bin/env bash", b"#!/bin/bash", b"#!/bin/sh")


def copy_project(target: Path, left_out: str = "") -> None:
    """Copy the project's files as they are now to a directory, and add them to git there.

    :param left_out: a directory that is not copied
    """
    shutil.rmtree(target, ignore_errors=True)
    for path in project_files():
        if path.parts[0] != left_out:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, target / path, follow_symlinks=False)
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=target, check=True)


def copy_collection(stage: str) -> Path:
    """Copy the project to where ansible-test wants a collection to lie: a directory whose real path names it, under git."""
    copy = BUILD / stage / "ansible_collections/wsgi/stack"
    copy_project(copy, left_out=".collections")  # the way from a checkout to itself
    return copy


def ansible_test_home() -> Path:
    """A home directory for ansible-test, whose virtual environments get pip from the interpreter, not from Ansible's host."""
    from ansible_test._internal.host_configs import NativePythonConfig
    from ansible_test._internal.python_requirements import get_venv_packages

    home = BUILD / "sanity/home"
    pip = get_venv_packages(NativePythonConfig(version=PYTHON, path=sys.executable))["pip"]
    bootstrap = home / ".ansible/test/cache" / f"get_pip_{pip.replace('.', '_')}.py"
    bootstrap.parent.mkdir(parents=True, exist_ok=True)
    bootstrap.write_text("import ensurepip\n\nensurepip.bootstrap(upgrade=True, default_pip=True)\n")
    return home


def sanity() -> Iterator[Check]:
    """What Ansible asks of a collection."""
    copy = copy_collection("sanity")
    home = {"HOME": str(ansible_test_home())}
    yield Check("ansible-test sanity", ["ansible-test", "sanity", "--python", PYTHON, "--color", "no"], copy, home)


def unit() -> Iterator[Check]:
    """tests/unit, in as many processes as there are processors."""
    report = REPORTS / "unit.xml"
    command = ["pytest", "--quiet", *parallel(PROCESSORS), f"--junit-xml={report}", "tests/unit"]
    paths = {"PYTHONPATH": str(ROOT / ".collections")}
    yield Check("tests/unit", command, environment=paths, reports=str(report.relative_to(ROOT)))


def package() -> Iterator[Check]:
    """The collection as its users get it: built, installed without a network, documented, and its playbooks read."""
    room = BUILD / "package"
    copy = copy_collection("package")
    yield from install_archive(room)
    for archive in room.glob(ARCHIVE):
        settings = {"GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "no"}  # the stage lint does, with more rules
        yield Check("galaxy-importer", [sys.executable, __file__, "galaxy-importer", archive.name], room, settings)
    yield from installed_by_readme()
    for kind, names in documented().items():
        yield Check(f"ansible-doc, {kind}", [sys.executable, __file__, "ansible-doc", kind, *names], BUILD, installed_in(room))
    for playbook in sorted((ROOT / "playbooks").glob("*.yml")):
        name = f"wsgi.stack.{playbook.stem}"
        yield Check(f"{name}", ["ansible-playbook", "--syntax-check", "-i", "localhost,", name], BUILD, installed_in(room))
    yield Check(
        "antsibull-docs",
        ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "self", "."],
        copy,
    )


def install_archive(room: Path) -> Iterator[Check]:
    """The collection as Galaxy gives it out: its archive in a directory, and installed in ``installed`` there."""
    room.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(room / "installed", ignore_errors=True)
    for archive in room.glob(ARCHIVE):
        archive.unlink()
    yield Check("ansible-galaxy collection build", ["ansible-galaxy", "collection", "build", "--output-path", room])
    yield Check(
        "ansible-galaxy collection install",
        ["ansible-galaxy", "collection", "install", "--offline", "-p", room / "installed", *room.glob(ARCHIVE)],
        BUILD,
        installed_in(room),
    )


def installed_in(room: Path) -> dict[str, str]:
    """The environment in which Ansible finds what was installed there."""
    return {"ANSIBLE_COLLECTIONS_PATH": str(room / "installed")}


def docs() -> Iterator[Check]:
    """The documentation site, in build/docs/site: the documents, and the reference of roles, modules and plugins."""
    room = BUILD / "docs"
    source, site = room / "source", room / "site"
    yield from install_archive(room)
    shutil.rmtree(site, ignore_errors=True)
    docsite.assemble(source)
    reference = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"]
    yield Check(
        "antsibull-docs",
        [*reference, "--dest-dir", source / docsite.REFERENCE, "wsgi.stack"],
        BUILD,
        installed_in(room),
    )
    yield Check("sphinx-build", [sys.executable, __file__, "sphinx-build", source, site], BUILD)


def build_site(source: str, site: str) -> int:
    """Build the site. Every warning counts, unless it comes from links to Ansible's own documents that cannot be fetched."""
    command = ["sphinx-build", "--quiet", "--fresh-env", "--jobs=auto", source, site]
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    told = [line for line in done.stderr.splitlines() if line.strip()]
    if UNREACHABLE in done.stderr:
        told = [line for line in told if not LINK_TO_ANSIBLE.search(line)]
        print("The links to Ansible's own documents cannot be fetched, so they are plain text.")
    print(*told, f"{len(list(Path(site).rglob('*.html')))} pages in {site}", sep="\n")
    return int(bool(done.returncode or told))


def installed_by_readme() -> Iterator[Check]:
    """The commands of the README's section Install, as they stand there, for a user who has nothing but ansible-core."""
    origin, home = BUILD / "package/origin", BUILD / "package/user"
    copy_project(origin)
    author = ["-c", "user.name=wsgi.stack", "-c", "user.email=wsgi.stack@localhost"]
    subprocess.run(["git", *author, "commit", "--quiet", "--message", "As it is now"], cwd=origin, check=True)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    section = (ROOT / "README.md").read_text().partition("\n## Install\n")[2].partition("\n## ")[0]
    commands = "".join(f"{line}\n" for line in section.splitlines() if line.startswith("    "))
    repository = yaml.safe_load((ROOT / "galaxy.yml").read_text())["repository"]
    user = {
        "HOME": str(home),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{origin}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"{repository}.git",
    }
    yield Check("README, Install", ["sh", "-eux", "-c", commands], home, user)
    syntax = ["ansible-playbook", "--syntax-check", "-i", "localhost,"]
    yield Check("README, Install: wsgi.stack.site", [*syntax, "wsgi.stack.site"], home, user)
    yield Check("README, Install: a checkout", [*syntax, "playbooks/site.yml"], home / "wsgi.stack", user)


def documented() -> dict[str, list[str]]:
    """All that has documentation, by kind, with full names."""
    kinds = {"module": "plugins/modules/*.py", "role": "roles/*"}
    kinds |= {kind: f"plugins/{kind}/*.py" for kind in ("callback", "filter", "lookup", "test")}
    found = {kind: sorted(path.stem for path in ROOT.glob(pattern) if path.stem != "__init__") for kind, pattern in kinds.items()}
    return {kind: [f"wsgi.stack.{name}" for name in names] for kind, names in found.items() if names}


def read_documentation(kind: str, *names: str) -> int:
    """Ask ansible-doc, which ends with 0 and a warning about what it does not find."""
    done = subprocess.run(["ansible-doc", "--type", kind, "--json", *names], check=True, capture_output=True, text=True)
    missing = set(names) - {name for name, content in json.loads(done.stdout).items() if content}
    print(f"{len(names) - len(missing)} documented", done.stderr, *sorted(missing), sep="\n")
    return int(bool(missing or done.stderr))


def import_archive(archive: str) -> int:
    """Ask Galaxy's importer, which ends with 0 and a warning about what would be shown to whoever publishes the archive.

    It runs ansible-doc on what is in the archive, without a network or a container.
    """
    command = [sys.executable, "-m", "galaxy_importer.main", archive]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    told = [line for line in done.stdout.splitlines() if not line.startswith("Loading ")]
    print(*told, sep="\n")
    return int(done.returncode != 0 or any(line.startswith(("WARNING: ", "ERROR: ")) for line in told))


def molecule() -> Iterator[Check]:
    """The playbook that ships, on hosts: a scenario after the other."""
    for scenario in sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")):
        report = REPORTS / f"molecule-{scenario}.xml"
        yield Check(
            f"molecule {scenario}",
            ["molecule", "test", "--scenario-name", scenario],
            environment={"PYTEST_ADDOPTS": f"--junit-xml={report}"},
            reports=str(report.relative_to(ROOT)),
        )


def system() -> Iterator[Check]:
    """tests/system: what molecule's one way through a playbook can not show.

    A fifth of the time a test waits, for an app to start or a load to end: one process more than processors.
    """
    report = REPORTS / "system.xml"
    selection = {"12": ["-k", "not debian13"], "13": ["-k", "debian13"]}.get(os.environ.get("DEBIAN", ""), [])
    command = ["pytest", *parallel(PROCESSORS + 1), "--durations=40", f"--junit-xml={report}", *selection, "tests/system"]
    yield Check("tests/system", command, reports=str(report.relative_to(ROOT)))


def smoke() -> Iterator[Check]:
    """Of tests/system what a change most likely breaks, on one Debian: every stack, TLS, bad releases, rollback, doctor."""
    report = REPORTS / "smoke.xml"
    command = ["pytest", *parallel(PROCESSORS), "--durations=12", f"--junit-xml={report}", "-m", "smoke", "tests/system"]
    yield Check("tests/system, smoke", command, reports=str(report.relative_to(ROOT)))


def coverage() -> Iterator[Check]:
    """Of plugins, which lines tests/unit and tests/system run: on the controller, and as modules on hosts."""
    measured = BUILD / "coverage"
    shutil.rmtree(measured, ignore_errors=True)
    measured.mkdir(parents=True)
    settings = f"--rcfile={ROOT / 'tests/coverage.ini'}"
    environment = {"COVERAGE_FILE": str(measured / "controller"), "WSGI_STACK_COVERAGE": str(measured)}
    for tests in ("unit", "system"):
        report = REPORTS / f"coverage-{tests}.xml"
        command = [
            *("coverage", "run", settings, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", f"--junit-xml={report}"),
            *(parallel(PROCESSORS) if tests == "system" else ()),
            f"tests/{tests}",
        ]
        paths = {**environment, "PYTHONPATH": str(ROOT / ".collections")}
        yield Check(f"tests/{tests}, measured", command, environment=paths, reports=str(report.relative_to(ROOT)))
    files = sorted(measured.glob("*.*"))  # named one by one, or the hosts' would be left out
    yield Check("coverage combine", ["coverage", "combine", "--quiet", settings, *files], environment=environment)
    yield Check(
        "coverage html", ["coverage", "html", "--quiet", settings, f"--directory={REPORTS / 'coverage'}"], environment=environment
    )
    yield Check("coverage report", ["coverage", "report", settings], environment=environment)


STAGES: dict[str, Callable[[], Iterator[Check]]] = {
    stage.__name__: stage for stage in (lint, sanity, unit, package, docs, molecule, system, smoke, coverage)
}


@dataclass
class Account:
    """What has passed and failed until now."""

    passed: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, stage: str, shown: bool) -> None:
        """Run the checks of a stage one after the other.

        :param shown: see ``Check.run``
        """
        for check in STAGES[stage]():
            begun = time.monotonic()
            title = f"\n=== {check.name}"
            if shown:
                print(title, flush=True)
            good, bad, output = check.run(shown)
            with self.lock:
                if not shown:
                    print(title, output, sep="\n")
                print(f"=== {check.name}: {good} passed, {bad} failed, {time.monotonic() - begun:.0f} s", flush=True)
                self.passed, self.failed = self.passed + good, self.failed + bad
                if bad:
                    self.failures.append(check.name)


def main(names: list[str]) -> int:
    """Run the stages named."""
    begun = time.monotonic()
    account = Account()
    with ThreadPoolExecutor(PROCESSORS) as pool:
        for running in [pool.submit(account.run, name, name == names[0]) for name in names]:
            running.result()
    if account.failures:
        print(f"\nFailed: {', '.join(account.failures)}")
    print(f"\n{account.passed} passed, {account.failed} failed, {(time.monotonic() - begun) / 60:.0f} minutes")
    return int(account.failed > 0)


if __name__ == "__main__":
    if sys.argv[1] == "ansible-doc":
        sys.exit(read_documentation(*sys.argv[2:]))
    if sys.argv[1] == "sphinx-build":
        sys.exit(build_site(*sys.argv[2:]))
    if sys.argv[1] == "galaxy-importer":
        sys.exit(import_archive(*sys.argv[2:]))
    sys.exit(main(sys.argv[1:]))
