# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why a plugin could not be built, from the output of uWSGI and the compiler. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.host import _packages
from ansible_collections.wsgi.stack.plugins.module_utils.host._versions import numbers

SUPPORTED_SINCE = {(3, 12): "2.0.23", (3, 13): "2.0.28", (3, 14): "2.0.30"}
"""The release of uWSGI whose plugin was the first to compile for a Python, after uWSGI's own log of changes."""

STARTED = "*** uWSGI building and linking plugin"
"""What uWSGI's builder says first, when the interpreter has taken over."""

REACHABLE = "move it to a place such as /opt, and open its directories"
PRINTED_NOTHING = "it printed nothing"
UNSHARED = "build it with --enable-shared, name another python, or set uwsgi_install_from: venv"


@dataclass(frozen=True)
class Diagnosis:
    """Why a plugin was not built.

    :ivar cause: the first half of a sentence
    :ivar packages: the Debian packages to install
    :ivar fix: what to do if no package helps
    """

    cause: str
    packages: tuple[str, ...] = ()
    fix: str = ""


def too_old(release: str, python: Mapping[str, Any]) -> bool:
    """Whether a release of uWSGI is known not to compile for an interpreter."""
    since = SUPPORTED_SINCE.get(minor(python))
    return since is not None and numbers(release) < numbers(since)


def minor(python: Mapping[str, Any]) -> tuple[int, int]:
    """An interpreter's language version."""
    first, second = python["version"].split(".")[:2]
    return int(first), int(second)


def of_distribution(python: Mapping[str, Any]) -> bool:
    """Whether an interpreter comes from a Debian package in the usual way: there is a package with its headers, then."""
    return python["prefix"] == "/usr" and python["implementation"] == "CPython" and python["gil"] and not python["debug"]


def headers_package(python: Mapping[str, Any]) -> str:
    """The Debian package with the headers and the libpython of an interpreter of the distribution's."""
    return "libpython{}.{}-dev".format(*minor(python))


def diagnose(log: str, python: Mapping[str, Any], release: str, default: str) -> Diagnosis:
    """Find why a build failed.

    :param log: what uWSGI, the interpreter, the compiler and the linker printed
    :param release: of the sources
    :param default: the real path of the distribution's python3, which its packages of Python modules are for
    """
    if STARTED not in log:
        return Diagnosis(
            f"{python['executable']} does not run as an unprivileged user ({decisive_line(log) or PRINTED_NOTHING})",
            fix=REACHABLE,
        )
    if found := re.search(r"fatal error: (\S+): No such file", log):
        return _header(found[1], python, default)
    if re.search(r"\bgcc: (command )?not found", log):
        return Diagnosis("there is no gcc", ("gcc", "libc6-dev"))
    if re.search(r"recompile with -fPIC|can not be used when making a (shared|PIE) object", log):
        lacks = f"{python['executable']} has no shared libpython, and its static one was compiled without -fPIC"
        return Diagnosis(lacks, fix=UNSHARED)
    if re.search(r"cannot find (S?crt\w+\.o|-l(c|m|dl|util|pthread|crypt)\b)", log):
        return Diagnosis("the C library has nothing to link with", ("libc6-dev",))
    if found := re.search(r"cannot find (-lpython\S+?|\S*libpython\S+?\.(?:a|so))(:|$)", log, re.MULTILINE):
        return _libpython(python, found[1])
    if found := re.search(r"cannot find -l([\w.+-]+)", log):
        return Diagnosis(f"there is no library {found[1]} to link with", fix=f"install the package with lib{found[1]}.so")
    return _incompatible(log, python, release)


def _header(header: str, python: Mapping[str, Any], default: str) -> Diagnosis:
    cause = f"the header {header} is missing"
    if os.path.basename(header) in ("Python.h", "pyconfig.h"):
        if of_distribution(python):
            return Diagnosis(f"{cause} for {python['executable']}", (headers_package(python),))
        lacks = f"{python['executable']} was installed without its headers, {python['include']}/Python.h"
        return Diagnosis(lacks, fix="install it with them, or name another python")
    if header == "greenlet/greenlet.h":
        if python["executable"] == default:
            return Diagnosis(cause, ("python-greenlet-dev",))
        return Diagnosis(cause, fix=f"copy it from the package greenlet to {python['include']}/greenlet")
    if package := _packages.of_header(header):
        return Diagnosis(cause, ("gcc", package) if package == "libc6-dev" else (package,))
    return Diagnosis(cause, fix="install the Debian package that ships it")


def _libpython(python: Mapping[str, Any], wanted: str) -> Diagnosis:
    if of_distribution(python):
        return Diagnosis(f"there is no libpython of {python['executable']} to link with", (headers_package(python),))
    lacks = f"{python['executable']} was installed without a libpython to link with ({wanted})"
    return Diagnosis(lacks, fix=UNSHARED)


def _incompatible(log: str, python: Mapping[str, Any], release: str) -> Diagnosis:
    version = python["version"]
    if too_old(release, python):
        since = SUPPORTED_SINCE[minor(python)]
        cause = f"the sources of uWSGI {release} are too old for Python {version}, which takes {since} or later"
        return Diagnosis(cause, fix="set source: pypi")
    errors = re.findall(r"(?:\berror: |\b\w+Error: )(.*)", log)
    first = errors[0].strip() if errors else decisive_line(log) or PRINTED_NOTHING
    if not python["gil"]:
        cause = f"the sources of uWSGI {release} do not compile for Python {version} without the GIL ({first})"
        return Diagnosis(cause, fix="name a python that has it")
    cause = f"the sources of uWSGI {release} do not compile for Python {version} ({first})"
    return Diagnosis(cause, fix="set source to another release of uWSGI's, or name another python")
