# SPDX-License-Identifier: GPL-3.0-or-later
"""What another list on a host has is refused, and what this one has is recorded."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.lists._record import Record
from ansible_collections.wsgi.stack.plugins.module_utils.reservation import _step
from ansible_collections.wsgi.stack.plugins.module_utils.reservation._claims import Foreign, claims
from ansible_collections.wsgi.stack.tests.apps import resolved

SIGNED = {"mode": "self_signed"}


def app(name, **keys):
    return resolved(name, **{"domains": [f"{name}.test"], **keys})


def gunicorn(name, port, **keys):
    return app(name, stack="gunicorn_supervisor", bind=f"127.0.0.1:{port}", **keys)


def record(*apps, name="team-a", settings=None):
    return _step.recorded(Record(), name, apps, [], settings or {}, [])


def foreign(*apps, wanted="default", taken=(), live=None, **more):
    return Foreign(record(*apps, **more), wanted, taken, live or {})


@pytest.mark.parametrize(
    ("theirs", "mine", "message"),
    [
        (app("shop"), app("shop", domains=["a.test"]), "app shop: name: shop is already app shop of the list team-a"),
        (app("shop"), app("blog", domains=["a.test", "shop.test"]), "app blog: domains: shop.test is already served by app shop"),
        (app("shop", domains=[]), app("blog", domains=[]), "requests for all other names are already served by app shop"),
        (gunicorn("shop", 8004), gunicorn("blog", 8004), "app blog: bind: port 8004 is already bind of app shop"),
        (app("shop", preview_port=8004), gunicorn("blog", 8004), "bind: port 8004 is already preview_port of app shop"),
        (gunicorn("shop", 8443), app("blog", tls={**SIGNED, "port": 8443}), "tls.port: port 8443 is already bind of app shop"),
        (app("shop", tls=SIGNED), app("blog", preview_port=443), "preview_port: port 443 is already tls.port of app shop"),
        (
            app("shop", tls={**SIGNED, "profile": "modern"}),
            app("blog", tls=SIGNED),
            "tls.profile: intermediate differs from the modern of app shop",
        ),
        (app("shop", domains=[], tls=SIGNED), app("blog", tls=SIGNED), "tls.port: 443 is already tls.port of app shop"),
        (app("shop", tls=SIGNED), app("blog", domains=[], tls=SIGNED), "tls.port: 443 is already tls.port of app shop"),
    ],
)
def test_what_another_list_has_is_refused(theirs, mine, message):
    with pytest.raises(StackError) as caught:
        foreign(theirs).refuse_app(mine)
    assert message in caught.value.cause


@pytest.mark.parametrize(
    ("others", "mine"),
    [
        pytest.param(foreign(app("shop", tls=SIGNED)), app("blog", tls=SIGNED), id="one port for TLS"),
        pytest.param(foreign(app("shop"), wanted="team-a"), app("shop"), id="its own"),
        pytest.param(foreign(app("shop"), taken=["shop"]), app("shop"), id="taken over"),
    ],
)
def test_what_lists_can_share_is_not_refused(others, mine):
    others.refuse_app(mine)


def test_a_domain_that_nginx_still_serves_is_refused():
    with pytest.raises(StackError, match=r"old\.test is already served by app shop"):
        foreign(app("shop"), live={"shop": {"domains": ["old.test"]}}).refuse_app(app("blog", domains=["old.test"]))


@pytest.mark.parametrize("port", [443, 8004])
def test_a_port_for_http_that_another_app_has_is_refused(port):
    with pytest.raises(StackError, match=f"nginx_http_ports: {port} is already"):
        foreign(gunicorn("shop", 8004, tls=SIGNED)).refuse_http_ports([80, port])


PORTS, HOME = "nginx_http_ports", "wsgi_directory"


def lists(first, second, host):
    """The record of two lists, and of what the host has by now."""
    one = _step.recorded(Record(), "team-a", [app("shop")], [], first, [])
    two = _step.recorded(one, "team-b", [app("blog")], [], second, [])
    return Record(two.apps, two.lists, host)


@pytest.mark.parametrize(
    ("first", "second", "host", "wanted", "refused"),
    [
        pytest.param({PORTS: [80]}, {PORTS: [80]}, {PORTS: [80]}, {PORTS: [80]}, False, id="the same"),
        pytest.param({PORTS: [80]}, {PORTS: [80]}, {PORTS: [80]}, {PORTS: [81]}, False, id="changed now"),
        pytest.param({PORTS: [80]}, {PORTS: [81]}, {PORTS: [81]}, {PORTS: [81]}, False, id="changed before"),
        pytest.param({PORTS: [81]}, {PORTS: [80]}, {PORTS: [81]}, {PORTS: [80]}, True, id="changed by the other"),
        pytest.param({PORTS: [80]}, {}, {PORTS: [80]}, {PORTS: [81]}, True, id="new"),
        pytest.param({HOME: "/a"}, {HOME: "/a"}, {HOME: "/a"}, {HOME: "/b"}, True, id="a directory"),
    ],
)
def test_all_lists_share_the_settings_of_the_host(first, second, host, wanted, refused):
    found = Foreign(lists(first, second, host), "team-b", [], {})
    if refused:
        with pytest.raises(StackError, match="which the list team-a has on this host, and all lists of a host share it"):
            found.refuse_settings(wanted)
    else:
        found.refuse_settings(wanted)


def test_an_app_that_was_dropped_stays_with_its_list_for_as_long_as_it_is_there():
    before = record(app("shop"), app("blog"), app("gone"))
    after = _step.recorded(before, "team-a", [app("shop")], [], {}, ["shop", "blog"])
    assert {name: bool(entry["claims"]) for name, entry in after.apps.items()} == {"shop": True, "blog": False}
    assert set(_step.present(after, ["shop"]).apps) == {"shop"}


def test_one_app_of_a_list_leaves_the_others_as_they_are_recorded():
    before = record(app("shop"), app("blog"))
    changed = app("shop", domains=["new.test"])
    after = _step.recorded(before, "team-a", [changed], ["shop"], {}, [])
    assert after.apps == {**before.apps, "shop": {"list": "team-a", "claims": claims(changed)}}


def test_an_app_that_is_taken_over_changes_its_list():
    after = _step.recorded(record(app("shop")), "default", [app("shop")], [], {}, ["shop"])
    assert after.owner("shop") == "default"
