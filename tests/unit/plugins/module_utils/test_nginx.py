# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx serves, by which apps there are."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._nginx import ANY_NAME, locations, servers, tree


def app(name, domains=(), **rest):
    return {
        "name": name,
        "domains": list(domains),
        "canonical_domain": None,
        "mount": "/",
        "static": [],
        "client_max_body_size": "10m",
        "request_timeout": 60,
        "nginx_directives": [],
        "live_socket": f"/run/wsgi/{name}/app.sock",
        **rest,
    }


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


LOGS = ["access_log /var/log/nginx/a.access.log;", "error_log /var/log/nginx/a.error.log;"]
PROXY = [
    *LOGS,
    "client_max_body_size 10m;",
    "uwsgi_read_timeout 60s;",
    "uwsgi_send_timeout 60s;",
    "uwsgi_buffer_size 16k;",
    "uwsgi_buffers 16 16k;",
    "uwsgi_busy_buffers_size 32k;",
    "include uwsgi_params;",
    "uwsgi_param HTTP_HOST $host$wsgi_port_suffix;",
    "uwsgi_pass unix:/run/wsgi/a/app.sock;",
]


def test_the_locations_of_an_app():
    static = [{"url": "/static/", "path": "/srv/wsgi/a/static"}, {"url": "/media/", "path": '/srv/wsgi/a/a "b"; c'}]
    assert locations(app("a", static=static)) == [
        {"match": "^~ /static/", "lines": [*LOGS, "alias /srv/wsgi/a/static/;"]},
        {"match": "^~ /media/", "lines": [*LOGS, r'alias "/srv/wsgi/a/a \"b\"; c/";']},
        {"match": "/", "lines": PROXY},
    ]


def test_the_locations_below_a_prefix():
    static = [{"url": "/shop/static/", "path": "/srv/x"}]
    assert [(location["match"], location["lines"][2:]) for location in locations(app("a", mount="/shop", static=static))] == [
        ("^~ /shop/static/", ["alias /srv/x/;"]),
        ("= /shop", ["absolute_redirect off;", "return 308 /shop/$is_args$args;"]),
        ("/shop/", PROXY[2:]),
    ]


@pytest.mark.parametrize(
    ("raw", "gone", "added"),
    [
        pytest.param([], [], [], id="none"),
        pytest.param(["proxy_x y;"], [], ["proxy_x y;"], id="one more"),
        pytest.param(
            ["client_max_body_size 5m;"], ["client_max_body_size 10m;"], ["client_max_body_size 5m;"], id="in place of ours"
        ),
        pytest.param(["access_log off;"], LOGS[:1], ["access_log off;"], id="no log"),
        pytest.param(["uwsgi_param X y;"], [], ["uwsgi_param X y;"], id="beside ours"),
        pytest.param(
            ["limit_except GET {\n  access_log off;\n}"],
            [],
            ["limit_except GET {", "  access_log off;", "}"],
            id="inside a block",
        ),
    ],
)
def test_a_users_lines_are_added_or_take_the_place_of_ours(raw, gone, added):
    (location,) = locations(app("a", nginx_directives=raw))
    assert location["lines"] == [line for line in PROXY if line not in gone] + added


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


def base(*arguments, **settings):
    found = tree(*arguments, **settings)
    return found["files"][0]["vars"], found["displace"]


DEFAULT = ["/etc/nginx/sites-enabled/default"]


@pytest.mark.parametrize(
    ("apps", "default_server", "refuse_unknown", "displace"),
    [
        pytest.param([app("a", ["a.test"])], True, True, DEFAULT, id="unknown names are refused"),
        pytest.param([app("a", ["a.test"])], False, False, [], id="unknown names are somebody else's"),
        pytest.param([app("a")], True, True, DEFAULT, id="there are none, and it makes no difference"),
    ],
)
def test_who_answers_unknown_names(apps, default_server, refuse_unknown, displace):
    variables, found = base(apps, default_server=default_server)
    assert (variables["refuse_unknown"], found) == (refuse_unknown, displace)


@pytest.mark.parametrize(
    ("ports", "ipv6", "expected"),
    [([80], True, ["80", "[::]:80"]), ([80], False, ["80"]), ([80, 8080], True, ["80", "[::]:80", "8080", "[::]:8080"])],
)
def test_listens(ports, ipv6, expected):
    assert base([], http_ports=ports, ipv6=ipv6)[0]["listens"] == expected


@pytest.mark.parametrize(
    ("length", "directives", "expected"),
    [
        pytest.param(40, [], [], id="fits nginx's default"),
        pytest.param(41, ["x y;"], ["server_names_hash_bucket_size 128;", "x y;"], id="long"),
        pytest.param(253, [], ["server_names_hash_bucket_size 512;"], id="the longest"),
        pytest.param(253, ["server_names_hash_bucket_size 1024;"], ["server_names_hash_bucket_size 1024;"], id="set by the user"),
    ],
)
def test_long_names_get_room(length, directives, expected):
    assert base([app("a", ["x" * length])], http_directives=directives)[0]["directives"] == expected
