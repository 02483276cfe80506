# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx serves, by which apps there are."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _tls
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._files import ANY_NAME, servers, tree
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._locations import locations
from ansible_collections.wsgi.stack.tests.sites import app


@pytest.mark.parametrize(
    ("apps", "expected"),
    [
        pytest.param([], [], id="no app"),
        pytest.param([app("a")], [(["a"], ANY_NAME, None)], id="every name"),
        pytest.param([app("a", ["a.test", "b.test"])], [(["a"], ["a.test", "b.test"], None)], id="two names"),
        pytest.param(
            [app("a", ["a.test"]), app("b", ["b.test"])],
            [(["a"], ["a.test"], None), (["b"], ["b.test"], None)],
            id="two apps",
        ),
        pytest.param(
            [app("a", ["a.test", "x.test"]), app("b", ["x.test"], mount="/b")],
            [(["a"], ["a.test"], None), (["a", "b"], ["x.test"], None)],
            id="a name in common",
        ),
        pytest.param(
            [app("a", ["x.test", "y.test"]), app("b", ["x.test", "y.test"], mount="/b")],
            [(["a", "b"], ["x.test", "y.test"], None)],
            id="all names in common",
        ),
        pytest.param(
            [app("a", ["x.test", "y.test", "z.test"], canonical_domain="y.test")],
            [(["a"], ["x.test", "z.test"], "y.test"), (["a"], ["y.test"], None)],
            id="a canonical name",
        ),
        pytest.param(
            [
                app("a", ["x.test"], canonical_domain="x.test"),
                app("b", ["x.test", "y.test"], canonical_domain="x.test", mount="/b"),
            ],
            [(["a", "b"], ["x.test"], None), (["b"], ["y.test"], "x.test")],
            id="a canonical name in common",
        ),
        pytest.param(
            [app("a"), app("b", mount="/b"), app("c", ["c.test"])],
            [(["a", "b"], ANY_NAME, None), (["c"], ["c.test"], None)],
            id="two apps of every name, one of one",
        ),
    ],
)
def test_servers(apps, expected):
    assert [(server["apps"], server["names"], server["redirect"]) for server in servers(apps)] == expected


def test_a_server_includes_its_apps_by_patterns_that_may_fit_nothing():
    (server,) = servers([app("a", ["x.test"]), app("b", ["x.test"], mount="/b")])
    assert server["includes"] == ["/etc/nginx/wsgi/a[.]conf", "/etc/nginx/wsgi/b[.]conf"]


def test_the_tree_of_two_apps():
    found = tree([app("a", ["x.test"]), app("b", ["x.test", "b.test"], mount="/b")], user="nginx")
    assert [(file["dest"], file.get("apps")) for file in found["files"] if not file.get("initial")] == [
        ("/etc/nginx/conf.d/wsgi.conf", None),
        ("/etc/nginx/wsgi/a.conf", ["a"]),
        ("/etc/nginx/wsgi/b.conf", ["b"]),
        ("/etc/nginx/sites-available/a.conf", ["a", "b"]),
        ("/etc/nginx/sites-available/b.conf", ["b"]),
    ]
    assert [(log["dest"], log["owner"], log["mode"], log["apps"]) for log in found["files"] if log.get("initial")] == [
        ("/var/log/nginx/a.access.log", "nginx", "0640", ["a"]),
        ("/var/log/nginx/a.error.log", "nginx", "0640", ["a"]),
        ("/var/log/nginx/b.access.log", "nginx", "0640", ["b"]),
        ("/var/log/nginx/b.error.log", "nginx", "0640", ["b"]),
    ]
    assert found["links"] == [
        {"path": "/etc/nginx/sites-enabled/a.conf", "target": "../sites-available/a.conf", "apps": ["a", "b"]},
        {"path": "/etc/nginx/sites-enabled/b.conf", "target": "../sites-available/b.conf", "apps": ["b"]},
    ]


@pytest.mark.parametrize(
    ("keys", "kept"),
    [
        ({"protocol": "http", "threads": 2}, True),
        ({"protocol": "http", "threads": 1}, False),
        ({"protocol": "http", "threads": 2, "gevent": 10}, False),
        ({"protocol": "uwsgi", "threads": 2}, False),
    ],
)
def test_nginx_keeps_its_connections_to_gunicorns_threads(keys, kept):
    served = {**app("a", preview_port=8001, preview_socket="/run/wsgi/a/preview.sock"), **keys}
    files = {file["dest"]: file for file in tree([served])["files"]}
    (location,) = files["/etc/nginx/wsgi/a.conf"]["vars"]["locations"]
    passed = {"proxy_pass http://wsgi-a;", "proxy_set_header Connection $wsgi_kept_connection;"}
    assert set(location["lines"]) & passed == (passed if kept else set())
    own = files.get("/etc/nginx/conf.d/wsgi-a.conf", {"apps": []})
    assert own["apps"] == ["a"] * kept
    if kept:
        assert f"    server unix:{served['upstream']};\n    keepalive 32;\n    keepalive_timeout 1s;\n" in own["content"]
    # What is staged goes when the preview ends.
    (preview,) = files["/etc/nginx/sites-available/a.preview.conf"]["vars"]["servers"]
    assert not set(preview["locations"][0]["lines"]) & passed


def blocks(apps, **settings):
    """The server blocks of the first app's site."""
    files = tree(apps, **settings)["files"]
    return next(file for file in files if file["dest"] == f"/etc/nginx/sites-available/{apps[0]['name']}.conf")["vars"]["servers"]


def base(*arguments, **settings):
    found = tree(*arguments, **settings)
    return found["files"][0]["vars"], found["displace"]


def shared(purpose, *arguments, **settings):
    """The file of what some sites have in common."""
    return [file for file in tree(*arguments, **settings)["files"] if file["dest"] == f"/etc/nginx/conf.d/wsgi.{purpose}.conf"]


SECURE = {"mode": "self_signed"}

DEFAULT = ["/etc/nginx/sites-enabled/default"]


@pytest.mark.parametrize(
    ("apps", "default_server", "ports", "displace"),
    [
        pytest.param([app("a", ["a.test"])], True, ["80 default_server"], DEFAULT, id="unknown names are refused"),
        pytest.param([app("a", ["a.test"])], False, None, [], id="unknown names are somebody else's"),
        pytest.param([app("a")], True, ["80 default_server"], DEFAULT, id="there are none, and it makes no difference"),
    ],
)
def test_who_answers_unknown_names(apps, default_server, ports, displace):
    variables, found = base(apps, default_server=default_server, ipv6=False)
    assert found == displace
    assert [server["listens"] for server in variables["servers"]] == ([ports] if ports else [])


@pytest.mark.parametrize(
    ("ports", "ipv6", "expected"),
    [([80], True, ["80", "[::]:80"]), ([80], False, ["80"]), ([80, 8080], True, ["80", "[::]:80", "8080", "[::]:8080"])],
)
def test_listens(ports, ipv6, expected):
    (server,) = blocks([app("a")], http_ports=ports, ipv6=ipv6)
    assert server["listens"] == expected


@pytest.mark.parametrize(
    ("length", "directives", "expected"),
    [
        pytest.param(40, [], [], id="fits nginx's default"),
        pytest.param(41, ["x y;"], [["a"]], id="long"),
        pytest.param(253, [], [["a"]], id="the longest"),
        pytest.param(253, ["server_names_hash_bucket_size 1024;"], [], id="set by the user"),
    ],
)
def test_long_names_get_room(length, directives, expected):
    found = shared("names", [app("a", ["x" * length]), app("b")], http_directives=directives)
    assert [file["apps"] for file in found] == expected
    assert all("\nserver_names_hash_bucket_size 512;\n" in file["content"] for file in found)


@pytest.mark.parametrize(
    ("directives", "gone"),
    [
        ([], set()),
        (["client_body_timeout 5m;"], {"client_body_timeout 30s;"}),
        (["map $x $y {", "    send_timeout 1;", "}"], set()),
    ],
)
def test_what_a_client_can_hold_is_limited_on_every_site(directives, gone):
    apps = [app("a", ["a.test"], tls=SECURE)]
    limits = {
        "client_header_timeout 10s;",
        "client_body_timeout 30s;",
        "send_timeout 30s;",
        "limit_conn wsgi_clients 1000;",
        "limit_conn_status 429;",
    }
    (secure,) = shared("443", apps, http_directives=directives)
    servers = [*base(apps, http_directives=directives)[0]["servers"], *secure["vars"]["servers"]]
    found = [*blocks(apps, http_directives=directives), *servers]
    assert [limits & set(server["lines"]) for server in found] == [limits - gone] * 4


def answers(server):
    """What a server does: where it redirects everything to, or what it includes."""
    (everything,) = [location["lines"][0] for location in server["locations"] if location["match"] == "/"] or [None]
    return everything or server["includes"]


ALL, WWW = ["/etc/nginx/wsgi/a[.]conf"], {"canonical_domain": "a.test"}


@pytest.mark.parametrize(
    ("tls", "rest", "expected"),
    [
        pytest.param({}, {}, [(["80"], ["a.test", "www.a.test"], ALL)], id="none"),
        pytest.param(
            {"mode": "self_signed"},
            {},
            [
                (["80"], ["a.test", "www.a.test"], "return 308 https://$host$request_uri;"),
                (["443 ssl"], ["a.test", "www.a.test"], ALL),
            ],
            id="HTTP is redirected",
        ),
        pytest.param(
            {"mode": "self_signed", "port": 5000},
            {},
            [
                (["80"], ["a.test", "www.a.test"], "return 308 https://$host:5000$request_uri;"),
                (["5000 ssl"], ["a.test", "www.a.test"], ALL),
            ],
            id="another port",
        ),
        pytest.param(
            {"mode": "certbot", "redirect": False}, {}, [(["80", "443 ssl"], ["a.test", "www.a.test"], ALL)], id="both ways"
        ),
        pytest.param(
            {"mode": "files"},
            WWW,
            [
                (["80"], ["a.test"], "return 308 https://$host$request_uri;"),
                (["443 ssl"], ["a.test"], ALL),
                (["80"], ["www.a.test"], "return 308 https://a.test$request_uri;"),
                (["443 ssl"], ["www.a.test"], "return 308 $scheme://a.test$wsgi_port_suffix$request_uri;"),
            ],
            id="a canonical name in one step",
        ),
    ],
)
def test_the_ways_to_a_site(tls, rest, expected):
    found = blocks([app("a", ["a.test", "www.a.test"], tls=tls, **rest)], ipv6=False)
    listens = [[listen.replace(_tls.HTTP2_PARAMETER, "") for listen in server["listens"]] for server in found]
    assert [(each, server["names"], answers(server)) for each, server in zip(listens, found)] == expected


@pytest.mark.parametrize("apps", [[app("a")], [app("a", ["a.test"], tls=SECURE)], [app("a", tls={**SECURE, "redirect": False})]])
def test_challenges_are_answered_by_http_whatever_the_name(apps):
    for server in [*blocks(apps, ipv6=False), *base(apps, ipv6=False)[0]["servers"]]:
        answered = [location["match"] for location in server["locations"]][:1] == ["^~ /.well-known/acme-challenge/"]
        assert answered == any(listen.startswith("80") for listen in server["listens"])


NAMED, NAMELESS = app("a", ["a.test"], tls=SECURE), app("b", tls=SECURE)


def test_what_only_the_host_knows_is_left_open():
    server = blocks([NAMED], ipv6=False)[1]
    assert server["listens"] == [f"443 ssl{_tls.HTTP2_PARAMETER}"]
    assert {_tls.HTTP2_LINE, _tls.stapling_line("a")} < {*server["lines"]}
    assert any(line.startswith(f"ssl_ecdh_curve {_tls.MORE_CURVES}X25519:") for line in server["lines"])


@pytest.mark.parametrize(
    ("apps", "expected"),
    [
        pytest.param([NAMED], _tls.refusal_line("a"), id="refused"),
        pytest.param([NAMED, NAMELESS], "ssl_certificate /etc/ssl/wsgi/b/live/fullchain.pem;", id="an app of every name"),
    ],
)
def test_the_certificate_for_unknown_names(apps, expected):
    (found,) = shared("443", apps)
    (https,) = found["vars"]["servers"]
    assert found["apps"] == [each["name"] for each in apps]
    assert https["lines"][0] == expected
    assert answers(https) == "return 421;"


STRICT = 'add_header Strict-Transport-Security "max-age=60" always;'


@pytest.mark.parametrize(("raw", "expected"), [([], 0), (["add_header X y;"], 1)])
def test_a_location_with_headers_of_its_own_keeps_that_of_its_server(raw, expected):
    strict = app("a", ["a.test"], tls={**SECURE, "hsts": 60}, nginx_directives=raw)
    assert STRICT in blocks([strict])[1]["lines"]
    assert STRICT not in blocks([strict])[0]["lines"]
    assert locations(strict)[0]["lines"].count(STRICT) == expected


PUBLISHED = {"url": "/static/", "path": "/srv/wsgi/a/current/build/source/static"}


def test_a_preview_is_a_site_of_its_own_with_what_is_held():
    shown = app("a", preview_port=5000, static=[{**PUBLISHED, "previous": "/srv/wsgi/a/previous/build/source/static"}])
    found = tree([shown])
    (file,) = [file for file in found["files"] if file["dest"] == "/etc/nginx/sites-available/a.preview.conf"]
    (server,) = file["vars"]["servers"]
    assert file["apps"] == ["a.preview"]
    assert server["listens"] == found["app_listens"]["a.preview"] == ["127.0.0.1:5000", "[::1]:5000"]
    assert server["lines"][0] == "if (!-e /srv/wsgi/a/preview) {"
    static, everything = server["locations"]
    assert "alias /srv/wsgi/a/preview/build/source/static/;" in static["lines"]
    assert "uwsgi_pass unix:/run/wsgi/a/preview.sock;" in everything["lines"]
    assert "access_log off;" in static["lines"]
    assert {"path": "/etc/nginx/sites-enabled/a.preview.conf", "apps": ["a.preview"]}.items() <= found["links"][1].items()


def test_the_ports_and_the_certificates():
    apps = [app("a", ["a.test"], tls={**SECURE, "port": 5000}), app("b", ["b.test"])]
    found = tree(apps, http_ports=[80, 8080])
    assert found["ports"] == [80, 5000, 8080]
    assert found["listens"] == ["80", "[::]:80", "8080", "[::]:8080"]
    assert found["app_listens"] == {"a": ["5000", "[::]:5000"]}
    assert found["certificates"] == ["/etc/ssl/wsgi/a/live/fullchain.pem", "/etc/ssl/wsgi/a/live/privkey.pem"]
