# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _routing, _syntax


def routes(text):
    block = _syntax.parse(text, "/site")
    return block, _routing.routes(block)


LOCATIONS = """
    location / { return 1; }
    location = / { return 2; }
    location /images/ { return 3; location ~ \\.png$ { return 4; } location /images/big/ { return 5; } }
    location ^~ /static/ { return 6; }
    location ~ \\.(?:png|css)$ { return 7; }
    location ~* ^/(?<lang>de|en)/ { return 8; }
    location @app { return 9; }
"""


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", "2"),
        ("/a", "1"),
        ("/a.css", "7"),
        ("/images/a", "3"),
        ("/images/a.png", "4"),
        ("/images/a.css", "7"),
        ("/images/big/a", "5"),
        ("/static/a.css", "6"),
        ("/DE/a", "8"),
    ],
)
def test_the_location_of_a_path(path, answer):
    found = _routing.located(_syntax.parse(LOCATIONS, "/site"), path)
    assert [each.arguments[0] for each in found[-1].block if each.name == "return"] == [answer]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("location / { proxy_pass http://a; }", ["/"]),
        ("uwsgi_pass a;", ["/"]),
        ("location /api { proxy_pass http://a; }", ["/api"]),
        ("location = / { proxy_pass http://a; }", ["/"]),
        ("location ~ ^/api/v\\d+/ { proxy_pass http://a; }", [None]),
        ("location ~ ^/api/ { proxy_pass http://a; }", ["/api/"]),
        ("location ~ \\.php$ { fastcgi_pass a; }", [None]),
        ("location / { try_files $uri @app; } location @app { proxy_pass http://a; }", ["/"]),
        ("try_files $uri @app; location @app { proxy_pass http://a; }", ["/"]),
        ("location /a { return 404; } location @app { proxy_pass http://a; }", [None]),
        ("location /a { if ($x) { proxy_pass http://a; } }", ["/a"]),
        ("location ~ ^/ { proxy_pass http://a; } location /b { proxy_pass http://b; }", ["/", None]),
        ("location ~ ( { proxy_pass http://a; } location /b { proxy_pass http://b; }", [None, None]),
    ],
)
def test_the_shortest_path_to_an_app(text, paths):
    block, found = routes(text)
    assert [_routing.path(route, block) for route in found] == paths


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("location / { proxy_pass http://a; }", False),
        ("location / { allow 10.0.0.0/8; deny all; proxy_pass http://a; }", True),
        ("allow 10.0.0.0/8; deny all; location / { proxy_pass http://a; }", True),
        ("deny all; location / { allow all; proxy_pass http://a; }", False),
        ("deny 192.0.2.7; location / { proxy_pass http://a; }", False),
        ("auth_basic closed; location / { proxy_pass http://a; }", True),
        ("auth_basic closed; location / { auth_basic off; proxy_pass http://a; }", False),
        ("location / { auth_request /auth; proxy_pass http://a; }", True),
        ("location /auth { internal; proxy_pass http://a; }", True),
        ("location / { limit_except GET { deny all; } proxy_pass http://a; }", True),
        ("location = /jobs/nightly { proxy_pass http://a; }", True),
        ("location =/jobs/nightly { proxy_pass http://a; }", True),
        ("location = / { proxy_pass http://a; }", False),
        ("ssl_verify_client on; location / { proxy_pass http://a; }", True),
        ("ssl_verify_client optional; location / { proxy_pass http://a; }", False),
    ],
)
def test_what_nginx_guards(text, guarded):
    _block, (route,) = routes(text)
    assert route.guarded is guarded


@pytest.mark.parametrize(
    ("condition", "awaited"),
    [
        ("if (!-e /srv/wsgi/shop/preview) { return 404; }", ("/srv/wsgi/shop/preview",)),
        ("if (!-f /srv/open) { return 503; }", ("/srv/open",)),
        ("if (-f /srv/closed) { return 503; }", ()),
        ("if (!-e /srv/x) { set $there 0; }", ()),
        ("if (!-e $request_filename) { return 404; }", ()),
        ("if (!-e /srv/$host) { return 404; }", ()),
        ("if ($scheme = http) { return 308 https://$host; }", ()),
    ],
)
def test_what_has_to_be_there_before_nginx_passes_a_request_on(condition, awaited):
    for text in (f"{condition} location / {{ proxy_pass http://a; }}", f"location / {{ {condition} proxy_pass http://a; }}"):
        _block, (route,) = routes(text)
        assert route.awaited == awaited


def test_the_innermost_block_with_a_directive_is_what_applies():
    http = _syntax.parse("proxy_set_header Host $host;", "/main")
    block = _syntax.parse(
        "location / { proxy_set_header A b; proxy_pass http://a; } location /b { proxy_pass http://b; }", "/site"
    )
    found = [[each.arguments for each in route.effective("proxy_set_header")] for route in _routing.routes(block, http)]
    assert found == [[("A", "b")], [("Host", "$host")]]
