# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python a uWSGI runs, from what it and the loader print."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _embedded_python

PYTHON = {"executable": "/opt/py/bin/python3.13", "version": "3.13.5", "library": "/opt/py/lib/libpython3.13.so.1.0"}
OWN = "and that of /opt/py/bin/python3.13 is /opt/py/lib/libpython3.13.so.1.0"


@pytest.mark.parametrize(
    ("version", "library", "wanted"),
    [
        ("3.13.5", "/opt/py/lib/libpython3.13.so.1.0", ""),
        ("3.13.4", "/opt/py/lib/libpython3.13.so.1.0", "it runs Python 3.13.4, and /opt/py/bin/python3.13 is 3.13.5"),
        ("3.13.5", "/usr/lib/libpython3.13.so.1.0", f"its libpython is /usr/lib/libpython3.13.so.1.0, {OWN}"),
        ("3.13.5", "", f"its libpython is none, {OWN}"),
    ],
)
def test_a_namesake_is_not_an_interpreters_libpython(version, library, wanted):
    assert _embedded_python.mismatch(PYTHON, version, library) == wanted


def test_an_interpreter_without_a_libpython_wants_none():
    assert _embedded_python.mismatch({**PYTHON, "library": ""}, "3.13.5", "") == ""


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ('/p/a_plugin.so: undefined symbol: up\nunable to load plugin "/p/a_plugin.so"\n', "undefined symbol: up"),
        ("!!! uWSGI process 7 got Segmentation Fault !!!\n*** backtrace of 7 ***\n", "uWSGI crashes with it"),
        ("", "uWSGI printed nothing"),
    ],
)
def test_what_the_loader_said_is_told(output, wanted):
    assert _embedded_python.unloadable(output) == f"it does not load: {wanted}"


@pytest.mark.parametrize(
    ("output", "library"),
    [
        (
            "\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\tlibpython3.9.so.1.0 => /opt/py/lib/libpython3.9.so.1.0 (0x00007f07)\n",
            "/opt/py/lib/libpython3.9.so.1.0",
        ),
        ("\tlibpython3.9.so.1.0 => not found\n", ""),
        ("\tstatically linked\n", ""),
    ],
)
def test_the_libpython_that_the_loader_finds(output, library):
    assert _embedded_python.library_in(output) == library
