# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Why pip or uv failed, out of all that they and compilers print, and what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils._errors import clipped, decisive_line
from ansible_collections.wsgi.stack.plugins.module_utils.host import _packages
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed

PACKAGE = "add the Debian package that has it to system_packages"
TRUST = "add the certificate of the authority to the host's /usr/local/share/ca-certificates"
CREDENTIALS = "correct the credentials in build_environment"
INDEX = "correct the requirement, or the index and its credentials in build_environment"
NETWORK = "correct the host's network or the index that is asked"
REQUIREMENT = "correct the requirement, or name another python"
LOG = "the log has what was printed"
SPACE = "free some space on the host"
NO_PACKAGE = "if this is no package, say in requirements what to install instead, as in requirements: [requirements.txt]"
SETUPTOOLS = (
    "it needs setuptools<81: require a newer release of it, or write setuptools<81 into a file of the source, and name that in"
    " build_environment, as UV_BUILD_CONSTRAINT or, with pip, as PIP_CONSTRAINT"
)
SSH_KEY = "set source.deploy_key to a key that may read it"
SSH_HOST = "add the host's lines of ssh-keyscan to source.known_hosts"
EXTRA = "correct extras or groups"
NO_TAGS = "a directory has no tags of git: set SETUPTOOLS_SCM_PRETEND_VERSION in build_environment, or deploy with source.git"
EDITABLE = "write 'NAME @ URL' there, without -e and #egg=, or set app_installer: pip"

PROGRAM = r"(?:[\w-]{0,40}gcc|[\w-]{0,40}g\+\+|cc|c\+\+|make|cmake|rustc|cargo|pg_config|mysql_config|pkg-config)"
PROGRAMS = {
    "gcc": "gcc, libc6-dev",
    "cc": "gcc, libc6-dev",
    "g++": "g++, libc6-dev",
    "c++": "g++, libc6-dev",
    "make": "make",
    "cmake": "cmake",
    "rustc": "cargo",
    "cargo": "cargo",
    "pg_config": "libpq-dev",
    "mysql_config": "default-libmysqlclient-dev",
    "pkg-config": "pkg-config",
}
"""The Debian packages with what a build may miss."""
COMPILERS = ("gcc", "cc", "g++", "c++")
CONFIGS = ("pg_config", "mysql_config")
"""What an extension of Python in C asks for the paths of a library, before it needs a compiler."""

# The first that fits names the cause, and the fix: what a compiler misses comes before what pip and uv make of that.
# (uv before 0.13 draws a cross where it says "error:" now.)
CAUSES = (
    (r"^[^\w\n]*(?:cause: |error: |ERROR: )*(.*(?:No space left on device|Disk quota exceeded).*)", SPACE),
    (r"fatal error: ((?!/)\S+: No such file or directory)", PACKAGE),
    (
        rf"\W({PROGRAM}['\"`]?(?: executable)?(?: not found| failed: No such file or directory|: No such file or directory))",
        PACKAGE,
    ),
    (rf"(No such file or directory: '{PROGRAM}')", PACKAGE),
    (r"(Unknown compiler\(s\): \[\['cc'\])", PACKAGE),
    (r"(Cargo, the Rust package manager, is not installed)", PACKAGE),
    (r"(No module named 'pkg_resources')", SETUPTOOLS),
    (r"^[ \t]*(?:error: |ValueError: )?(Multiple top-level (?:packages|modules) discovered in a flat-layout.*)", NO_PACKAGE),
    (r"(Unable to determine which files to ship inside the wheel)", NO_PACKAGE),
    (r"(No file/folder found for package \S+)", NO_PACKAGE),
    (r"(Building a package is not possible in non-package mode)", NO_PACKAGE),
    (r"LookupError: (\S+ was unable to detect version for )", NO_TAGS),
    (r"(Host key verification failed)", SSH_HOST),
    (r"^[ \t]*(?:stderr: )?(\S+ Permission denied \(publickey.*)", SSH_KEY),
    (
        r"^error: ((?:Requested extra|Extra `|Group `|The dependency group|the project has no (?:extra|dependency group)).*)",
        EXTRA,
    ),
    (r"^error: (Unsupported editable requirement in .*)", EDITABLE),
    (r"^hint: (You require .*we only found wheels for .*)", REQUIREMENT),
    (r"^(.*(?:CERTIFICATE_VERIFY_FAILED|UnknownIssuer|certificate verify failed).*)", TRUST),
    (r"^hint: (An index URL .*\b(?:401|403)\b.*)", CREDENTIALS),
    (r"^WARNING: Retrying .* after connection broken by '?(.*)", NETWORK),
    (r"^error: (Failed to fetch:? .*(?:\n  cause: .*)*)", NETWORK),
    (r"\(from versions: none\)\nERROR: (No matching distribution found for .*)", INDEX),
    (r"^ERROR: (No matching distribution found for .*)", REQUIREMENT),
    (r"^[ \t]*(?:error:|\u00d7) (No solution found when resolving dependencies.*(?:\n +\S.*)*)", REQUIREMENT),
)
# What pip and uv say of other errors. If a build backend failed, the cause is in what that printed.
GENERAL = (
    (r"^[ \t]*(?:error:|\u00d7) (.*(?:\n  cause: .*(?:\n {9}\S.*)*)*)", LOG),
    (r"^ERROR: (?!Ignored the following)(.*)", LOG),
)
COMPILED = re.compile(r"\b(?:gcc|g\+\+|cythonize|cargo|rustc|meson|cmake)\b")
"""What the output of a build has in it that compiles something."""

# What a build backend printed, as pip and as uv quote it.
PIP_QUOTES, PIP_QUOTED = " lines of output]\n", re.compile(r"\n[ \t]*\[end of output\]")
UV_QUOTE = re.compile(r"^  cause: Call to .* failed .*\n((?:(?: {9}.*)?\n)+)", re.MULTILINE)
BUILDING = r"(?:Failed (?:to|to download and) build `|Building wheel for |Failed building wheel for )([^`@\s]+)"
CONCLUSION = ", we can conclude that your requirements are unsatisfiable"


def cause(completed: Completed, python: Mapping[str, Any]) -> str:
    """Why an installation into a virtual environment failed, and what to do. Pure.

    :param python: the app's interpreter, see ``_interpreter.probe``
    """
    minor = ".".join(python["version"].split(".")[:2])
    if "ensurepip is not" in completed.output or "No module named venv" in completed.output:
        return (
            f"this Python has no ensurepip, which pip needs; add python{minor}-venv to system_packages, or set app_installer: uv."
        )
    reason, fix = first_cause(completed)
    headers = f", python{minor}-dev" if python["executable"].startswith("/usr/bin/") else ""
    if fix == PACKAGE:
        fix = _package(reason, headers) or fix
    elif fix == LOG and COMPILED.search(completed.output):
        fix = f"require a release of it that has a wheel for Python {minor}, or name another python; {LOG}"
    return f"{reason}; {fix}."


def _package(reason: str, headers: str) -> str:
    """How to get the program or the C header that a build misses; "" if that is not known. Pure.

    :param headers: the Debian package with the headers of the interpreter, after a comma
    """
    header = re.search(r"(\S+): No such file or directory$", reason)
    if header and header[1].endswith(".h"):
        package = headers[2:] if header[1] == "Python.h" else _packages.of_header(header[1])
        return f"set system_packages: [{package}]" if package else ""
    found = re.search(PROGRAM, reason.replace("Cargo", "cargo").replace("Unknown compiler(s): [['cc'", "cc"))
    name = re.sub(r"^[\w-]*-(?=gcc$|g\+\+$)", "", found[0]) if found else ""
    if name not in PROGRAMS:
        return ""
    compiler = f", {PROGRAMS['gcc']}" if name in CONFIGS else ""
    # What a compiler is needed for is an extension of Python, nearly always.
    return f"set system_packages: [{PROGRAMS[name]}{compiler}{headers if name in (*COMPILERS, *CONFIGS) else ''}]"


def backend_output(output: str) -> str:
    """What a build backend printed, out of what pip or uv did; "" if none failed. Pure."""
    _before, quotes, rest = output.partition(PIP_QUOTES)
    if quotes and (end := PIP_QUOTED.search(rest)):
        return rest[: end.start()]
    quoted = UV_QUOTE.search(output)
    return quoted[1] if quoted else ""


def first_cause(completed: Completed) -> tuple[str, str]:
    """Why pip or uv failed, out of all that they and compilers print, and what to do. Pure."""
    output = clipped(completed.output)
    backend = backend_output(output)
    reason, fix = decisive_line(backend or output) or completed.last_line, LOG
    for pattern, known_fix in CAUSES if backend else CAUSES + GENERAL:
        found = re.search(pattern, output, re.MULTILINE)
        if found:
            reason, fix = re.sub(r":?\s*\n\s*(?:cause:|[\u2500-\u257f\u25b6]+) ", ": ", found[1]), known_fix
            break
    reason = " ".join(reason.split()).replace(CONCLUSION, "").rstrip(".")
    building = re.search(BUILDING, output)
    if building and building[1] not in reason:
        reason = f"{building[1]} cannot be built: {reason}"
    return reason, fix
