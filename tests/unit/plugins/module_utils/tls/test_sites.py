# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import fill
from ansible_collections.wsgi.stack.plugins.module_utils.apps._tls import TLS
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _sites


def app(name, domains=(), **said):
    return {"name": name, "domains": list(domains), "tls": fill(said, TLS)}


SECURE = {"mode": "self_signed"}


@pytest.mark.parametrize(
    ("apps", "expected"),
    [
        pytest.param([], [], id="no app"),
        pytest.param([app("a", ["a.test"])], [], id="no TLS"),
        pytest.param([app("a", ["a.test", "b.test"], **SECURE)], [("a", ["a.test", "b.test"], ["a"])], id="two names"),
        pytest.param([app("a", **SECURE)], [("a", [], ["a"])], id="every name"),
        pytest.param(
            [app("a", ["a.test", "x.test"], **SECURE), app("b", ["x.test", "b.test"], **SECURE)],
            [("a", ["a.test", "x.test"], ["a", "b"]), ("b", ["b.test"], ["b"])],
            id="a name in common",
        ),
        pytest.param(
            [app("a", ["x.test"], **SECURE), app("b", ["x.test"], **SECURE)], [("a", ["x.test"], ["a", "b"])], id="all in common"
        ),
        pytest.param([app("a", ["a.test"]), app("b", ["b.test"], **SECURE)], [("b", ["b.test"], ["b"])], id="one of two"),
    ],
)
def test_sites(apps, expected):
    assert [(site["name"], site["domains"], site["apps"]) for site in _sites.sites(apps)] == expected


def test_nginx_names_the_same_paths_whatever_is_presented():
    assert _sites.files("shop") == ("/etc/ssl/wsgi/shop/live/fullchain.pem", "/etc/ssl/wsgi/shop/live/privkey.pem")
