# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release a rollback restores."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _rollback

STACKS = {1: "uwsgi", 2: "uwsgi", 3: "uwsgi", 4: "gunicorn_supervisor", 5: "uwsgi"}


def found(release=4, previous=2, staged=None, there=(1, 2, 3, 4, 5)):
    """What is told of an app of which some releases are on the host."""
    releases = [{"number": number, "stack": STACKS[number]} for number in there]
    return {
        "app": "shop",
        "release": release,
        "stack": STACKS.get(release),
        "previous": previous,
        "staged": staged,
        "releases": releases,
    }


NOTHING_EARLIER = (
    "app shop: release 1 is live, and no earlier release on this host ever was;"
    " choose one of 2, 3, 4, 5 with -e release=NUMBER, or deploy the version that you want."
)
NOTHING_LIVE = "app shop: no release is live, so there is none to go back to; deploy with wsgi.stack.site."
ONLY_STAGED = (
    "app shop: release 1 is staged, but no release is live, so there is none to go back to; deploy with wsgi.stack.site."
)


@pytest.mark.parametrize(
    ("told", "wanted", "target"),
    [
        (found(), None, {"release": 2, "stack": "uwsgi"}),
        (found(), "", {"release": 2, "stack": "uwsgi"}),
        (found(), "3", {"release": 3, "stack": "uwsgi"}),
        (found(), 5, {"release": 5, "stack": "uwsgi"}),
        (found(), 4, {"release": 4, "stack": "gunicorn_supervisor"}),
        (found(staged=5), None, {"release": 4, "stack": "gunicorn_supervisor"}),
        (found(staged=5), 2, {"release": 2, "stack": "uwsgi"}),
        (found(2, 1), None, {"release": 1, "stack": "uwsgi"}),
        # The directory of the live one may be gone.
        (found(7, None, staged=5) | {"stack": "uwsgi_emperor"}, None, {"release": 7, "stack": "uwsgi_emperor"}),
    ],
)
def test_what_an_app_goes_back_to(told, wanted, target):
    assert _rollback.target(told, wanted) == target


@pytest.mark.parametrize(
    ("told", "wanted", "message"),
    [
        (found(), 9, "app shop: release: 9 is not on this host; it has 1, 2, 3, 4, 5."),
        (found(), "v2", "app shop: release: 'v2' is no number of a release; this host has 1, 2, 3, 4, 5."),
        (found(1, None), None, NOTHING_EARLIER),
        (found(None, None, there=()), None, NOTHING_LIVE),
        (found(None, None, staged=1), None, ONLY_STAGED),
    ],
)
def test_there_is_nothing_to_go_back_to(told, wanted, message):
    with pytest.raises(InventoryError) as caught:
        _rollback.target(told, wanted)
    assert str(caught.value) == message


APPS = [
    {"name": "shop", "stack": "gunicorn_supervisor", "gevent": 100, "server_options": {"backlog": 10}, "mount": "/shop"},
    {"name": "blog", "bind": "127.0.0.1:8004", "stack": "gunicorn_supervisor"},
    {"name": "gone", "state": "absent"},
]


def test_an_app_is_resolved_for_the_stack_of_the_release_that_it_goes_back_to():
    assert _rollback.restack(APPS, "shop", "uwsgi") == [{"name": "shop", "stack": "uwsgi", "mount": "/shop"}, *APPS[1:]]
    assert _rollback.restack(APPS, "shop", "gunicorn_supervisor") == APPS
    assert _rollback.restack(APPS, "shop") == APPS


def test_a_stack_that_the_app_has_by_default_is_no_change():
    apps = [{"name": "shop", "idle": 60}]
    assert _rollback.restack(apps, "shop", "uwsgi_emperor", "uwsgi_emperor") == apps
    assert _rollback.restack(apps, "shop", "uwsgi", "uwsgi_emperor") == [{"name": "shop", "stack": "uwsgi"}]


@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("", "app: missing; add -e app=NAME (shop, blog)."),
        ("shpo", "app: 'shpo' is not in wsgi_apps; did you mean shop?"),
        ("zzz", "app: 'zzz' is not in wsgi_apps; the apps are shop, blog."),
        ("gone", "app: 'gone' has state: absent; the apps are shop, blog."),
    ],
)
def test_a_rollback_of_no_app_is_refused(app, message):
    with pytest.raises(InventoryError) as caught:
        _rollback.restack(APPS, app)
    assert str(caught.value) == message
