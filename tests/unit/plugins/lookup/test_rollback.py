# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook of a rollback goes by."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.lookup import rollback
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.plugin_utils import _settings

SETTINGS = _settings.read({}, lambda value: value)
SHOP = {"name": "shop", "source": {"package": "shop"}, "entry_point": "shop:app", "domains": ["shop.test"]}
BLOG = {**SHOP, "name": "blog", "domains": ["blog.test"]}


def plan(name, release, status, apps):
    return rollback.plan(name, release, status, apps, "uwsgi", lambda given: _settings.resolve(given, SETTINGS))


def status(stack, previous_stack):
    """Of the app shop, at release 2."""
    releases = [{"number": 1, "stack": previous_stack}, {"number": 2, "stack": stack}]
    shop = {"app": "shop", "stack": stack, "release": 2, "staged": None, "previous": 1, "releases": releases}
    return {"apps": [shop, {"app": "old"}]}


def test_an_unknown_app_is_refused_before_there_is_a_status():
    assert plan("shop", None, None, [SHOP])["listed"][0]["name"] == "shop"
    with pytest.raises(InventoryError, match="shpo"):
        plan("shpo", None, None, [SHOP])


def test_the_stack_stays():
    found = plan("shop", None, status("uwsgi", "uwsgi"), [SHOP, BLOG])
    assert (found["release"], found["stack"], found["role"]) == (1, "uwsgi", "uwsgi")
    assert found["releases"] == {"shop": 1}
    assert not found["stack_changed"]


def test_the_release_brings_its_stack():
    found = plan("shop", "1", status("gunicorn_supervisor", "uwsgi_emperor"), [SHOP, BLOG])
    assert (found["stack"], found["role"], found["stack_changed"]) == ("uwsgi_emperor", "uwsgi", True)
    assert [app["stack"] for app in found["resolved"]] == ["uwsgi_emperor"]
    assert [app.get("stack") for app in found["apps"]] == ["uwsgi_emperor", None]
    assert found["other_apps"] == ["blog", "old"]
