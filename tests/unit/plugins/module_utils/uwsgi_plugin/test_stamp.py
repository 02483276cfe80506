# SPDX-License-Identifier: GPL-3.0-or-later
"""The stamp in a plugin, and what it says has changed."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _stamp

WANTED = {
    "format": _stamp.FORMAT,
    "uwsgi": {"version": "2.0.21-debian", "header": "5c9b745c39a98fc76286ca1fae7e21d9", "flags": ["-DA", "-DB"]},
    "interpreter": {"version": "3.9.2", "soabi": "cpython-39-x86_64-linux-gnu", "library": "/usr/lib/libpython3.9.so.1.0"},
    "source": {"version": "2.0.21", "sha256": "1211a3a0d5f9ffd6e3cb759b1a754ffb9abfb2594ae9785b017a5ba87e826163"},
    "build": {"CC": "gcc", "CFLAGS": "-g0", "LDFLAGS": ""},
}
# It may hold anything, the mark of an earlier stamp too.
ELF = b"\x7fELF\n\n" + _stamp.MARK + b"{}\n\0"


def stamped(stamp):
    return _stamp.split(_stamp.add(ELF, stamp))


def test_a_stamp_is_the_last_line_and_leaves_the_rest_alone():
    data = _stamp.add(ELF, WANTED)
    assert data.startswith(ELF)
    assert data.splitlines()[-1].startswith(b'wsgi.stack.uwsgi_plugin {"build": ')
    found = _stamp.split(data)
    assert found.intact
    assert found.content == ELF
    assert {key: found.stamp[key] for key in WANTED} == WANTED
    assert _stamp.differences(found, WANTED) == []


def test_what_has_no_stamp_is_somebody_elses():
    assert _stamp.split(b"\x7fELF").stamp is None


@pytest.mark.parametrize(
    "data",
    [
        _stamp.add(ELF, WANTED).replace(b"\x7fELF", b"\x7fELG", 1),
        _stamp.add(ELF, WANTED)[:-10],
        ELF + _stamp.MARK + b"[]\n",
    ],
)
def test_a_file_that_is_not_what_was_stamped_is_built_anew(data):
    found = _stamp.split(data)
    assert found.stamp is not None
    assert _stamp.differences(found, WANTED) == ["the file was changed after it was built"]


@pytest.mark.parametrize(
    ("part", "key", "was", "words"),
    [
        ("uwsgi", "version", "2.0.19-debian", "uWSGI: was 2.0.19-debian, is 2.0.21-debian"),
        ("uwsgi", "header", "fd03c85edfee33327ac760f246543e10", "uWSGI's header: was fd03c85edfee, is 5c9b745c39a9"),
        ("uwsgi", "flags", ["-DB", "-DC"], "the flags of uWSGI's build: now -DA, no longer -DC"),
        ("interpreter", "version", "3.9.1", "the interpreter: was 3.9.1, is 3.9.2"),
        ("interpreter", "library", "", "the interpreter's libpython: was none, is /usr/lib/libpython3.9.so.1.0"),
        ("source", "sha256", "f" * 64, "the plugin's sources: was ffffffffffff, is 1211a3a0d5f9"),
        ("build", "LDFLAGS", "-L/opt/lib", "the linker's flags: was -L/opt/lib, is none"),
    ],
)
def test_a_change_is_told_in_words(part, key, was, words):
    before = copy.deepcopy(WANTED)
    before[part][key] = was
    assert _stamp.differences(stamped(before), WANTED) == [words]


def test_all_changes_are_told():
    before = copy.deepcopy(WANTED)
    before["source"]["version"] = "2.0.31"
    before["interpreter"]["version"] = "3.9.1"
    assert len(_stamp.differences(stamped(before), WANTED)) == 2


def test_sources_that_are_not_there_are_not_compared():
    wanted = copy.deepcopy(WANTED)
    wanted["source"]["sha256"] = None
    assert _stamp.differences(stamped(WANTED), wanted) == []
    wanted["source"]["version"] = "2.0.31"
    assert len(_stamp.differences(stamped(WANTED), wanted)) == 1


def test_a_stamp_of_another_format_is_not_compared_further():
    assert _stamp.differences(stamped({**WANTED, "format": 0}), WANTED) == ["another version of this collection built it"]


def test_a_plugin_that_has_nothing_to_do_with_python_outlives_interpreters():
    wanted = {**WANTED, "interpreter": {}}
    assert _stamp.differences(stamped(wanted), wanted) == []
