# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed of an app, in the words of its entry."""

from __future__ import annotations

import json

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _changes, _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _files

OLD, NEW = "3f2c" + 36 * "0", "9ab1" + 36 * "0"


def resolved(**keys):
    source = {"git": "https://u:s3cret@git.test/shop.git", "version": "v1.4"}
    (app,) = _resolve.resolve([{"name": "shop", "source": source, "entry_point": "a:b", "domains": ["a.test"], **keys}])
    return app


def told(before, after, revisions=(OLD, OLD), environments=({}, {}), notes=None):
    entry = json.loads(json.dumps(_changes.entry(resolved(**before), environments[0])))
    served = _changes.site(notes or {}, environments[1])
    wanted = _changes.entry(resolved(**after), environments[1])
    return _changes.changes({**entry, **served}, wanted, revisions, _files.SERVED)


VERSION = {"source": {"git": "https://u:s3cret@git.test/shop.git", "version": "v1.5"}}


@pytest.mark.parametrize(
    ("before", "after", "revisions", "lines"),
    [
        ({}, {}, (OLD, OLD), []),
        ({"processes": 4}, {"processes": 8}, (OLD, OLD), ["processes 4 -> 8"]),
        ({}, VERSION, (OLD, NEW), ["source.version v1.4 (3f2c00000) -> v1.5 (9ab100000)"]),
        ({}, {}, (OLD, NEW), ["source.version v1.4 (3f2c00000) -> v1.4 (9ab100000)"]),
        ({}, {"domains": ["a.test", "b.test"]}, (OLD, OLD), ["domains [a.test] -> [a.test, b.test]"]),
        ({}, {"tls": {"mode": "self_signed"}}, (OLD, OLD), ["tls.mode none -> self_signed"]),
        # What changes nothing on the host is shown only beside what does.
        ({}, {"health_check": {"timeout": 60}}, (OLD, OLD), []),
        (
            {"processes": 4},
            {"processes": 8, "health_check": {"timeout": 60}},
            (OLD, OLD),
            ["health_check.timeout 30 -> 60", "processes 4 -> 8"],
        ),
    ],
)
def test_a_change_is_told_in_the_words_of_the_inventory(before, after, revisions, lines):
    found = told(before, after, revisions)
    assert [line for line in found if not line.startswith("tls.") or line.startswith("tls.mode")] == lines


def test_variables_are_named_and_their_values_are_not():
    before = {"SAME": "x", "TOKEN": "s3cret-old", "OLD": "gone"}
    after = {"SAME": "x", "TOKEN": "s3cret-new", "NEW": "here"}
    assert told({}, {}, environments=(before, after)) == ["environment: NEW added, OLD removed, TOKEN changed"]
    assert "s3cret" not in json.dumps(_changes.entry(resolved(release_commands=["x s3cret-old"]), before))


def test_the_site_is_compared_with_what_nginx_serves():
    notes = _files.tree([resolved(mount="/old")])["notes"]["shop"]
    assert told({"mount": "/new"}, {"mount": "/new"}, notes=notes) == ["mount /old -> /new"]


def test_a_domain_that_is_the_value_of_a_variable_too_has_not_changed():
    environment = {"SESSION_COOKIE_DOMAIN": "a.test"}
    notes = {key: value for key, value in resolved().items() if key in _files.SERVED}
    assert told({}, {}, environments=(environment, environment), notes=notes) == []
    domains = {"domains": ["a.test", "b.a.test"]}
    lines = told(domains, domains, environments=(environment, environment), notes=notes)
    assert lines == ["domains [a.test] -> [a.test, b.a.test]"]
