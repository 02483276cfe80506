# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run did to the apps of a host, as a table."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _probe
from ansible_collections.wsgi.stack.plugins.plugin_utils import _summary
from ansible_collections.wsgi.stack.plugins.plugin_utils._run import Report

COMMIT = "9ab1c2d3e4f5" + 28 * "0"


def app(name, **keys):
    return {"name": name, "source": {"package": name}, "entry_point": "a:b", "mount": f"/{name}", **keys}


def failure(name):
    return {"app": name, "step": "import", "message": f"app {name}: import: no.", "log": []}


def test_each_app_has_a_row():
    report = Report(
        failures=[failure("broken"), failure("never")],
        staged=["staged"],
        releases={"same": 3, "new": 2, "staged": 5, "site": 1},
        revisions={"same": "blog==1", "new": COMMIT, "broken": "b", "staged": "c", "site": "d"},
        rolled_out=["same", "new", "staged", "site"],
        changed=["new", "staged", "site"],
        removed=["old"],
        seconds={"new": 12.34, "broken": 0.5},
        live={
            "same": {"release": 3, "revision": "blog==1"},
            "new": {"release": 1, "revision": "a"},
            "broken": {"release": 7, "revision": "a"},
            "staged": {"release": 4, "revision": "a"},
            "site": {"release": 1, "revision": "d"},
        },
    )
    apps = _resolve.resolve([app(name) for name in ("same", "new", "broken", "never", "staged", "site")])
    assert _summary.table(_summary.entries(apps, report, "web1", 80)) == [
        "app     release  revision   URL                  changed  seconds",
        "same    3        blog==1    http://web1/same/    no       -",
        "new     2        9ab1c2d3e  http://web1/new/     yes      12.3",
        "broken  7        a          http://web1/broken/  failed   0.5",
        "never   -        -          http://web1/never/   failed   -",
        "staged  4        a          http://web1/staged/  staged   -",
        "site    1        d          http://web1/site/    yes      -",
        "old     -        -          -                    removed  -",
    ]


@pytest.mark.parametrize(
    ("keys", "url"),
    [
        ({}, "http://web1:8080/shop/"),
        ({"mount": "/", "domains": ["shop.test"]}, "http://shop.test:8080/"),
        ({"domains": ["*.shop.test"], "tls": {"mode": "self_signed"}}, "https://www.shop.test/shop/"),
        (
            {
                "mount": "/",
                "domains": ["shop.test", "www.shop.test"],
                "canonical_domain": "www.shop.test",
                "tls": {"mode": "self_signed", "port": 8443},
            },
            "https://www.shop.test:8443/",
        ),
    ],
)
def test_where_a_visitor_finds_an_app(keys, url):
    (resolved,) = _resolve.resolve([app("shop", **keys)])
    assert _probe.url(resolved, "web1", 8080) == url
