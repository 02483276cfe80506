# SPDX-License-Identifier: GPL-3.0-or-later
"""How a failure of pip or uv reads."""

from __future__ import annotations

import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.build import _causes
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed

PYTHON = {"version": "3.11.2", "executable": "/usr/bin/python3.11"}

COMPILER = """\
error: Failed to build `psycopg2==2.9.9`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

         [stderr]
         psycopg/psycopgmodule.c:1:10: fatal error: libpq-fe.h: No such file or directory
         error: command '/usr/bin/gcc' failed with exit code 1
"""
FLAT = """\
error: Failed to build `shop @ file:///srv/wsgi/shop/builds/x/source`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta.get_requires_for_build_wheel` failed (exit status: 1)

         [stderr]
         error: Multiple top-level packages discovered in a flat-layout: ['proj', 'media'].

         To avoid accidental inclusion of unwanted files or directories,
"""
NO_WHEEL = """\
error: No solution found when resolving dependencies
  cause: Because tensorflow==2.8.0 has no wheels with a matching Python ABI tag (e.g., `cp311`) and you require tensorflow==2.8.0.

hint: You require CPython 3.11 (`cp311`), but we only found wheels for `tensorflow` (v2.8.0) with the ABI tags: `cp37m`, `cp310`
"""
BACKEND = """\
error: Failed to build `shop @ file:///srv/wsgi/shop/builds/x/source`
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

         [stdout]
         running bdist_wheel

         [stderr]
           File "setup.py", line 1, in <module>
         RuntimeError: not today
"""
PIP_BACKEND = """\
  error: subprocess-exited-with-error

  \u00d7 Getting requirements to build wheel did not run successfully.
  \u2502 exit code: 1
  \u2570\u2500> [2 lines of output]
        File "setup.py", line 1, in <module>
      RuntimeError: not today
      [end of output]
"""
SETUPTOOLS = """\
  error: subprocess-exited-with-error

  \u00d7 Building wheel for badc (pyproject.toml) did not run successfully.
  \u2502 exit code: 1
  \u2570\u2500> [3 lines of output]
      building 'badc' extension
      ext.c:2:22: error: unknown type name 'nosuch'
      error: Command '['gcc', '-c', 'ext.c']' returned non-zero exit status 1.
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
  ERROR: Failed building wheel for badc
ERROR: Could not build wheels for badc, which is required to install pyproject.toml-based projects
"""
NO_SOLUTION = """\
Using Python 3.11.2 environment at: /b/venv
error: No solution found when resolving dependencies
  cause: Because the current Python version (3.11.2) does not satisfy Python>=3.12 and django==6.0 depends on Python>=3.12.
         And because you require django==6.0, we can conclude that your requirements are unsatisfiable.
"""
OLD_NO_SOLUTION = """\
  \u00d7 No solution found when resolving dependencies:
  \u2570\u2500\u25b6 Because there is no version of flask==99 and you require flask==99, we can conclude that your
      requirements are unsatisfiable.
"""
REFUSED_INDEX = """\
error: No solution found when resolving dependencies
  cause: Because privpkg was not found in the package registry and you require privpkg.

hint: An index URL (http://index/simple) could not be queried due to a lack of valid authentication credentials (401 Unauthorized)
"""
NO_VERSION = """\
ERROR: Ignored the following versions that require a different python version: 6.0 Requires-Python >=3.12
ERROR: Could not find a version that satisfies the requirement django==6.0 (from versions: 1.1.3, 5.2.19)
ERROR: No matching distribution found for django==6.0
"""
NOTHING = """\
ERROR: Could not find a version that satisfies the requirement nosuch (from versions: none)
ERROR: No matching distribution found for nosuch
"""
ENSUREPIP = """\
The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
"""


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        (COMPILER, "psycopg2==2.9.9 cannot be built: libpq-fe.h: No such file or directory; set system_packages: [libpq-dev]."),
        (
            "Error: pg_config executable not found.\n",
            "pg_config executable not found; set system_packages: [libpq-dev, gcc, libc6-dev, python3.11-dev].",
        ),
        (
            "error: command 'gcc' failed: No such file or directory\n",
            "gcc' failed: No such file or directory; set system_packages: [gcc, libc6-dev, python3.11-dev].",
        ),
        ("error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-g++'\n", "set system_packages: [g++, libc6-dev, python3"),
        (
            "LookupError: setuptools-scm was unable to detect version for /tmp/x.\n\nMake sure you're either building from\n",
            "was unable to detect version for; a directory has no tags of git: set SETUPTOOLS_SCM_PRETEND_VERSION in build_env",
        ),
        ("error: linker `cc` not found\n", "set system_packages: [gcc, libc6-dev, python3.11-dev]."),
        (
            "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc']]\n",
            "set system_packages: [gcc, libc6-dev, python3.11",
        ),
        ("Cargo, the Rust package manager, is not installed or is not on PATH.\n", "set system_packages: [cargo]."),
        ("x.c:1:10: fatal error: Python.h: No such file or directory\n", "set system_packages: [python3.11-dev]."),
        (
            "cc1: fatal error: /tmp/enscons/xxmodule.c: No such file or directory\n",
            "cc1: fatal error: /tmp/enscons/xxmodule.c: No such file or directory; the log has what was printed.",
        ),
        ("x.c:1:10: fatal error: odd.h: No such file or directory\n", "add the Debian package that has it to system_packages."),
        ("  ModuleNotFoundError: No module named 'pkg_resources'\n", "'pkg_resources'; it needs setuptools<81: require a newer"),
        (
            FLAT,
            "shop cannot be built: Multiple top-level packages discovered in a flat-layout: ['proj', 'media']; if this is no pac",
        ),
        (
            "error: Unsupported editable requirement in `r.txt` at line 2: `git+file:///x#egg=y`\n",
            "y`; write 'NAME @ URL' there, ",
        ),
        (NO_WHEEL, "`cp37m`, `cp310`; correct the requirement, or name another python."),
        (
            "error: Extra `nope` is not defined in the `optional-dependencies` table for `f`\n",
            "for `f`; correct extras or groups.",
        ),
        (
            "error: x\n  cause: y\n  git@localhost: Permission denied (publickey).\n",
            "(publickey); set source.deploy_key to a key",
        ),
        (BACKEND, "shop cannot be built: RuntimeError: not today; the log"),
        (PIP_BACKEND, "RuntimeError: not today; the log"),
        (
            SETUPTOOLS,
            "badc cannot be built: ext.c:2:22: error: unknown type name 'nosuch'; require a release of it that has a wheel",
        ),
        (
            NO_SOLUTION,
            "No solution found when resolving dependencies: Because the current Python version (3.11.2) does not satisfy",
        ),
        (OLD_NO_SOLUTION, "Because there is no version of flask==99 and you require flask==99; correct the requirement"),
        (REFUSED_INDEX, "(401 Unauthorized); correct the credentials in build_environment."),
        (NO_VERSION, "No matching distribution found for django==6.0; correct the requirement, or name another python."),
        (NOTHING, "No matching distribution found for nosuch; correct the requirement, or the index"),
        (ENSUREPIP, "add python3.11-venv to system_packages, or set app_installer: uv."),
        ("x\nsomething nobody has seen.\n", "something nobody has seen; the log has what was printed."),
    ],
)
def test_the_decisive_line_becomes_the_cause(output, wanted):
    cause = _causes.cause(Completed(("uv",), 1, output), PYTHON)
    assert wanted in cause
    assert "\n" not in cause


HOSTILE = {
    "one line": "a" * (1 << 16),
    "words": "-a" * (1 << 15),
    "empty lines": " lines of output]\n" + "\n" * (1 << 16),
    "quotes": " lines of output]\n" * (1 << 14),
    "errors": "error: x\n" * (1 << 14),
    "causes": "  cause: Call to `a` failed \n" * (1 << 14),
}


@pytest.mark.parametrize("output", HOSTILE.values(), ids=HOSTILE)
def test_no_output_takes_long_to_be_searched(output):
    began = time.process_time()
    _causes.cause(Completed(("uv",), 1, output), PYTHON)
    assert time.process_time() - began < 3
