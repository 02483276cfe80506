# SPDX-License-Identifier: GPL-3.0-or-later
"""What compilers and linkers print, and what it means."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _diagnosis

STARTED = "*** uWSGI building and linking plugin from /usr/src/uwsgi/plugins/python ***\n"
OWN = {
    "executable": "/usr/bin/python3.9",
    "version": "3.9.2",
    "implementation": "CPython",
    "prefix": "/usr",
    "include": "/usr/include/python3.9",
    "library": "/usr/lib/x86_64-linux-gnu/libpython3.9.so.1.0",
    "gil": True,
    "debug": False,
}
OTHER = {
    **OWN,
    "executable": "/opt/python3.13/bin/python3.13",
    "version": "3.13.5",
    "prefix": "/opt/python3.13",
    "include": "/opt/python3.13/include/python3.13",
}
FREE = {**OTHER, "gil": False}


def diagnose(log, python, release="2.0.28"):
    return _diagnosis.diagnose(STARTED + log, python, release, "/usr/bin/python3.11")


def missing(header):
    return (
        "In file included from /usr/src/uwsgi/plugins/python/uwsgi_python.h:1,\n"
        "                 from /usr/src/uwsgi/plugins/python/python_plugin.c:1:\n"
        f".uwsgi_plugins_builder/uwsgi.h:184:10: fatal error: {header}: No such file or directory\n"
        f"  184 | #include <{header}>\n      |          ^~~~~~~~~~~~~\ncompilation terminated.\n"
    )


@pytest.mark.parametrize(
    ("header", "packages"),
    [
        ("uuid/uuid.h", ("uuid-dev",)),
        ("sys/capability.h", ("libcap-dev",)),
        ("openssl/conf.h", ("libssl-dev",)),
        ("pcre.h", ("libpcre3-dev",)),
        ("pcre2.h", ("libpcre2-dev",)),
        ("zlib.h", ("zlib1g-dev",)),
        ("stdio.h", ("gcc", "libc6-dev")),
        ("curl/curl.h", ("libcurl4-openssl-dev",)),
    ],
)
def test_a_missing_header_is_a_missing_package(header, packages):
    found = diagnose(missing(header), OWN)
    assert found.cause == f"the header {header} is missing"
    assert found.packages == packages


def test_a_header_that_no_package_is_known_for_is_named():
    found = diagnose(missing("matheval.h"), OWN)
    assert (found.packages, found.fix) == ((), "install the Debian package that ships it")


def test_an_interpreters_own_headers_come_from_where_it_came_from():
    own, other = diagnose(missing("Python.h"), OWN), diagnose(missing("Python.h"), OTHER)
    assert own.cause == "the header Python.h is missing for /usr/bin/python3.9"
    assert own.packages == ("libpython3.9-dev",)
    assert other.packages == ()
    assert "/opt/python3.13/include/python3.13/Python.h" in other.cause


def test_only_the_distributions_python3_has_packages_of_modules():
    header = missing("greenlet/greenlet.h")
    assert diagnose(header, {**OWN, "executable": "/usr/bin/python3.11"}).packages == ("python-greenlet-dev",)
    assert diagnose(header, OWN).fix == "copy it from the package greenlet to /usr/include/python3.9/greenlet"


def test_without_a_compiler():
    assert diagnose("/bin/sh: 1: gcc: not found\n*** unable to build python39 plugin ***\n", OWN).packages == ("gcc", "libc6-dev")


@pytest.mark.parametrize(
    "line",
    [
        "relocation R_X86_64_32 against `.rodata.str1.1' can not be used when making a shared object; recompile with -fPIC",
        "relocation R_X86_64_TPOFF32 against 'recurse' can not be used when making a shared object; recompile with -fPIC",
        "relocation R_AARCH64_ADR_PREL_PG_HI21 against `_PyRuntime' can not be used when making a shared object",
    ],
)
def test_a_static_libpython(line):
    found = diagnose(
        f"/usr/bin/ld: /opt/x/libpython3.11.a(object.o): {line}\ncollect2: error: ld returned 1 exit status\n", OTHER
    )
    assert found.cause.endswith("has no shared libpython, and its static one was compiled without -fPIC")
    assert "--enable-shared" in found.fix


def test_no_libpython_to_link_with():
    log = "/usr/bin/ld: cannot find -lpython3.9: No such file or directory\ncollect2: error: ld returned 1 exit status\n"
    assert diagnose(log, OWN).packages == ("libpython3.9-dev",)
    assert diagnose(log, OTHER).cause.endswith("was installed without a libpython to link with (-lpython3.9)")
    archive = "/usr/bin/gcc: error: /opt/x/libpython3.13.a: No such file or directory\n"
    assert "/opt/x/libpython3.13.a" in diagnose(archive, OTHER).cause


def test_another_library_to_link_with():
    found = diagnose("/usr/bin/ld: cannot find -lintl: No such file or directory\n", OTHER)
    assert (found.cause, found.fix) == ("there is no library intl to link with", "install the package with libintl.so")


# Python 3.13, with the sources of Debian 12.
UNKNOWN_TYPE = "/usr/src/uwsgi/plugins/python/uwsgi_python.h:173:9: error: unknown type name '_PyCFrame'\n"
# Python 3.12, whose distutils is gone; the NameError is noise.
WITHOUT_DISTUTILS = """
NameError: name 'execfile' is not defined

During handling of the above exception, another exception occurred:

  File "<string>", line 3, in <module>
ModuleNotFoundError: No module named 'distutils'
"""


@pytest.mark.parametrize("log", [UNKNOWN_TYPE, WITHOUT_DISTUTILS])
def test_sources_that_are_too_old(log):
    found = diagnose(log, OTHER, "2.0.21")
    assert found.cause == "the sources of uWSGI 2.0.21 are too old for Python 3.13.5, which takes 2.0.28 or later"
    assert found.fix == "set source: pypi"


def test_what_is_not_known_to_be_too_old_is_told_with_the_first_error():
    found = diagnose(UNKNOWN_TYPE, {**OTHER, "version": "3.15.0"}, "2.0.31")
    assert found.cause == "the sources of uWSGI 2.0.31 do not compile for Python 3.15.0 (unknown type name '_PyCFrame')"
    assert "without the GIL" in diagnose(UNKNOWN_TYPE, FREE, "2.0.31").cause
    assert diagnose("*** unable to build x ***\n", OWN).cause.endswith("(*** unable to build x ***)")


def test_an_interpreter_that_does_not_even_start():
    found = _diagnosis.diagnose("", OTHER, "2.0.21", "/usr/bin/python3")
    wanted = "/opt/python3.13/bin/python3.13 does not run as an unprivileged user (it printed nothing)"
    assert found.cause == wanted


@pytest.mark.parametrize(
    ("release", "version", "old"),
    [
        ("2.0.21", "3.11.2", False),
        ("2.0.21", "3.12.0", True),
        ("2.0.23", "3.12.0", False),
        ("2.0.9", "3.13.5", True),
        ("2.0.28", "3.13.5", False),
        ("2.0.28", "3.14.0b1", True),
        ("2.0.31", "3.14.10", False),
        ("2.0.21", "3.15.0", False),
    ],
)
def test_the_table_of_releases(release, version, old):
    assert _diagnosis.too_old(release, {"version": version}) is old
