# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps that want the same certificate's place, or the same port."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve


def app(name, domains=(), bind=None, preview_port=None, mount=None, **tls):
    keys = {"domains": list(domains), "mount": mount or f"/{name}", "bind": bind, "preview_port": preview_port, "tls": tls}
    return {"name": name, "source": {"package": name}, "entry_point": "a:b", "stack": "gunicorn_supervisor", **keys}


SIGNED = {"mode": "self_signed"}


@pytest.mark.parametrize(
    "apps",
    [
        pytest.param([app("a", ["x.test"], **SIGNED), app("b", ["x.test"], **SIGNED)], id="the same on one domain"),
        pytest.param([app("a", ["a.test"], **SIGNED), app("b", ["b.test"])], id="on two domains"),
        pytest.param([app("a", ["a.test"], **SIGNED), app("b", ["b.test"], mode="certbot")], id="two modes on one port"),
        pytest.param([app("a", ["a.test"], **SIGNED), app("b", ["b.test"], profile="modern")], id="a profile without TLS"),
        pytest.param(
            [app("a", ["a.test"], **SIGNED), app("b", ["b.test"], port=5000, profile="modern", **SIGNED)], id="a profile a port"
        ),
        pytest.param([app("a", preview_port=5000), app("b", bind="127.0.0.1:5001")], id="a port each"),
        pytest.param([app("a", port=80)], id="a port that is not used"),
    ],
)
def test_apps_that_get_along(apps):
    _resolve.resolve(apps, http_ports=[80])


@pytest.mark.parametrize(
    ("apps", "expected"),
    [
        pytest.param(
            [app("a", ["x.test"]), app("b", ["x.test"], **SIGNED)],
            "app b: tls.mode: self_signed differs from app a's none on the same domain x.test; set the same for both.",
            id="mode",
        ),
        pytest.param(
            [app("a", **SIGNED), app("b", hsts=60, **SIGNED)],
            "app b: tls.hsts: 60 differs from app a's 0 on any domain; set the same for both.",
            id="any domain",
        ),
        pytest.param(
            [app("a", ["a.test"], **SIGNED), app("b", ["b.test"], profile="modern", **SIGNED)],
            "app b: tls.profile: modern differs from app a's intermediate on the same port 443, where nginx negotiates"
            " the protocol before it knows the domain; set the same for both.",
            id="profile",
        ),
        pytest.param(
            [app("a", port=80, **SIGNED)],
            "app a: tls.port: port 80 is already nginx's for HTTP (nginx_http_ports); choose another one.",
            id="a port for HTTP",
        ),
        pytest.param(
            [app("a", preview_port=80)],
            "app a: preview_port: port 80 is already nginx's for HTTP (nginx_http_ports); choose another one.",
            id="a preview on it",
        ),
        pytest.param(
            [app("a", preview_port=5000), app("b", preview_port=5000)],
            "app b: preview_port: port 5000 is already app a's (preview_port); choose another one.",
            id="two previews",
        ),
        pytest.param(
            [app("a", preview_port=443), app("b", ["b.test"], **SIGNED)],
            "app a: preview_port: port 443 is already app b's for TLS (tls.port); choose another one.",
            id="a preview on a port for TLS",
        ),
        pytest.param(
            [app("a", bind="[::1]:5000", preview_port=5000)],
            "app a: bind: port 5000 is already app a's (preview_port); choose another one.",
            id="an app in its own way",
        ),
        pytest.param(
            [app("a", bind="[::1]:5000"), app("b", bind="127.0.0.1:5000")],
            "app b: bind: port 5000 is already app a's (bind); choose another one.",
            id="two that bind",
        ),
    ],
)
def test_apps_in_each_others_way(apps, expected):
    with pytest.raises(InventoryError) as error:
        _resolve.resolve(apps, http_ports=[80])
    assert str(error.value) == expected
