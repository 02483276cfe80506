# SPDX-License-Identifier: GPL-3.0-or-later
"""References to what earlier steps return."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.survey import _references

RESULTS = {"app_build": {"builds": {"shop": {"digest": "abc"}}}}


def test_a_reference_becomes_what_it_stands_for():
    found = _references.reference("app_build", "builds", "shop")
    arguments = {"apps": [{"name": "shop"}], "builds": {"shop": found}, "check": [True, None, [found]]}
    assert _references.resolve(arguments, RESULTS) == {
        "apps": [{"name": "shop"}],
        "builds": {"shop": {"digest": "abc"}},
        "check": [True, None, [{"digest": "abc"}]],
    }


@pytest.mark.parametrize("path", [("app_build", "builds", "blog"), ("app_release", "releases", "shop")])
def test_what_is_not_there_is_an_error(path):
    with pytest.raises(KeyError):
        _references.resolve([_references.reference(*path)], RESULTS)
