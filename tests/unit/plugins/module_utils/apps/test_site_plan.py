# SPDX-License-Identifier: GPL-3.0-or-later
"""What is live keeps its place, and only what wants that place waits."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve, _site_plan
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _files


def resolved(**places):
    """Apps by name, each with a domain and a mount."""
    given = [
        {"name": name, "source": {"package": name}, "entry_point": "a:b", "domains": [place.partition("/")[0]], "mount": mount}
        for name, place in places.items()
        for mount in ["/" + place.partition("/")[2]]
    ]
    return _resolve.resolve(given)


def places(apps):
    return {app["name"]: app["domains"][0] + app["mount"] for app in apps}


@pytest.mark.parametrize(
    ("live", "wanted", "unchanged", "served", "waiting"),
    [
        pytest.param({"a": "x/"}, {"a": "x/a"}, [], {"a": "x/a"}, {}, id="nothing failed"),
        pytest.param({"a": "x/"}, {"a": "x/a", "b": "x/b"}, ["a"], {"a": "x/", "b": "x/b"}, {}, id="nobody is in the way"),
        pytest.param({"a": "x/"}, {"a": "x/a", "b": "x/"}, ["a"], {"a": "x/"}, {"b": "a"}, id="a new app wants the place"),
        pytest.param(
            {"a": "x/", "b": "x/b", "c": "x/c"},
            {"a": "x/a", "b": "x/", "c": "x/c"},
            ["a"],
            {"a": "x/", "b": "x/b", "c": "x/c"},
            {"b": "a"},
            id="an app wants the place and keeps its own",
        ),
        pytest.param(
            {"a": "x/", "b": "x/b"},
            {"a": "x/a", "b": "x/", "c": "x/b"},
            ["a"],
            {"a": "x/", "b": "x/b"},
            {"b": "a", "c": "b"},
            id="and another one wants that",
        ),
        pytest.param({"a": "x/", "b": "y/"}, {"a": "y/", "b": "x/"}, ["b"], {"a": "x/", "b": "y/"}, {"a": "b"}, id="a swap"),
        pytest.param({}, {"a": "x/", "b": "y/"}, ["a"], {"b": "y/"}, {}, id="it never had a site"),
    ],
)
def test_what_is_live_keeps_its_place(live, wanted, unchanged, served, waiting):
    notes = _files.tree(resolved(**live))["notes"]
    found, causes, _delayed = _site_plan.plan(resolved(**wanted), notes, unchanged)
    assert places(found) == served
    assert {name: cause.partition("used by app ")[2].partition(",")[0] for name, cause in causes.items()} == waiting


def test_what_an_app_that_waits_is_told():
    notes = _files.tree(resolved(a="x/"))["notes"]
    _apps, causes, _delayed = _site_plan.plan(resolved(a="x/a", b="x/"), notes, ["a"])
    assert causes["b"] == (
        "mount: / on x is already used by app a, which keeps its site, since its release failed or is staged; so the site of this"
        " app stays as it was, until app a is fixed and the play is run again."
    )


def test_an_app_that_waits_for_one_that_changes_later_has_not_failed():
    notes = _files.tree(resolved(a="x/", b="x/b", c="x/c", d="y/"))["notes"]
    wanted = resolved(a="x/a", b="x/", c="x/b", d="y/d", e="y/")
    found, causes, delayed = _site_plan.plan(wanted, notes, ["a", "d"], ["a"])
    assert places(found) == {"a": "x/", "b": "x/b", "c": "x/c", "d": "y/"}
    assert (list(causes), delayed) == (["e"], ["b", "c"])


def test_an_app_that_stays_is_served_as_it_is_live_and_previewed_as_it_is_wanted():
    (live,), (wanted,) = (
        _resolve.resolve([{"name": "a", "source": {"package": "a"}, "entry_point": "a:b", "preview_port": 5000, **keys}])
        for keys in ({"request_timeout": 5, "stack": "gunicorn_supervisor"}, {"request_timeout": 7})
    )
    before = _files.tree([live])
    apps, _causes, _delayed = _site_plan.plan([wanted], before["notes"], ["a"])
    after = _files.tree(apps, previews=[wanted])
    changed = [file["dest"] for file in after["files"] if file not in before["files"]]
    assert changed == ["/etc/nginx/sites-available/a.preview.conf"]
