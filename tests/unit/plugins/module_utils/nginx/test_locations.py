# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx._locations import TEXT, locations
from ansible_collections.wsgi.stack.tests.sites import app

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
    "uwsgi_param HTTP_X_REAL_IP $remote_addr;",
    "uwsgi_param HTTP_X_FORWARDED_FOR $remote_addr;",
    "uwsgi_param HTTP_X_FORWARDED_PROTO $scheme;",
    "uwsgi_param HTTP_X_FORWARDED_HOST $host$wsgi_port_suffix;",
    'uwsgi_param HTTP_X_FORWARDED_PORT "" if_not_empty;',
    'uwsgi_param HTTP_X_FORWARDED_PREFIX "" if_not_empty;',
    'uwsgi_param HTTP_X_FORWARDED_PROTOCOL "" if_not_empty;',
    'uwsgi_param HTTP_X_FORWARDED_SCHEME "" if_not_empty;',
    'uwsgi_param HTTP_X_FORWARDED_SERVER "" if_not_empty;',
    'uwsgi_param HTTP_X_FORWARDED_SSL "" if_not_empty;',
    'uwsgi_param HTTP_X_SCHEME "" if_not_empty;',
    'uwsgi_param HTTP_X_URL_SCHEME "" if_not_empty;',
    'uwsgi_param HTTP_FRONT_END_HTTPS "" if_not_empty;',
    'uwsgi_param HTTP_FORWARDED "" if_not_empty;',
    'uwsgi_param HTTP_PROXY "" if_not_empty;',
    'uwsgi_param HTTP_X_SCRIPT_NAME "" if_not_empty;',
    'uwsgi_param HTTP_SCRIPT_NAME "" if_not_empty;',
    'uwsgi_param HTTP_PATH_INFO "" if_not_empty;',
    'uwsgi_param HTTP_TRANSFER_ENCODING "" if_not_empty;',
    "uwsgi_pass unix:/run/wsgi/a/app.sock;",
]


COMPRESSION = [
    "gzip on;",
    "gzip_static on;",
    "gzip_vary on;",
    "gzip_proxied any;",
    "gzip_comp_level 5;",
    "gzip_min_length 1000;",
    f"gzip_types {' '.join(TEXT)};",
]


def test_the_locations_of_an_app():
    static = [{"url": "/static/", "path": "/srv/wsgi/a/static"}, {"url": "/media/", "path": '/srv/wsgi/a/a "b"; c'}]
    assert locations(app("a", static=static)) == [
        {
            "match": "^~ /static/",
            "lines": [
                *LOGS,
                *COMPRESSION,
                "alias /srv/wsgi/a/static/;",
                "disable_symlinks if_not_owner from=/srv/wsgi/a/static;",
                r'location ~ "(?s)^/static/(.*/)?\\.(?!well-known/)" { return 404; }',
            ],
        },
        {
            "match": "^~ /media/",
            "lines": [
                *LOGS,
                *COMPRESSION,
                r'alias "/srv/wsgi/a/a \"b\"; c/";',
                r'disable_symlinks if_not_owner "from=/srv/wsgi/a/a \"b\"; c";',
                r'location ~ "(?s)^/media/(.*/)?\\.(?!well-known/)" { return 404; }',
            ],
        },
        {"match": "/", "lines": PROXY},
    ]


def test_shared_files_are_served_without_symlinks_and_internal_ones_to_nobody():
    path = "/srv/wsgi/a/shared/in/media"
    (media, everything) = locations(app("a", static=[{"url": "/m/", "shared": "in/media", "internal": True, "path": path}]))
    assert media["lines"][:2] == ["internal;", "if ($wsgi_answered_by != a) { return 404; }"]
    assert media["lines"][4:6] == [f"alias {path}/;", "disable_symlinks on from=/srv/wsgi/a/shared;"]
    assert "set $wsgi_answered_by a;" in everything["lines"]


def test_an_app_keeps_what_it_sets_itself_and_its_internal_files():
    static = [{"url": "/p/", "path": "/current/p", "previous": "/previous/p", "internal": True}]
    here, before, everything = locations(app("a", static=static, nginx_directives=["set $x 1;"]))
    assert here["lines"][:2] == before["lines"][:2] == ["internal;", "if ($wsgi_answered_by != a) { return 404; }"]
    assert {"set $wsgi_answered_by a;", "set $x 1;"} < set(everything["lines"])


def test_the_locations_below_a_prefix():
    static = [{"url": "/shop/static/", "path": "/srv/x"}]
    published = [*COMPRESSION, "alias /srv/x/;", "disable_symlinks if_not_owner from=/srv/x;"]
    assert [(location["match"], location["lines"][2:]) for location in locations(app("a", mount="/shop", static=static))] == [
        ("^~ /shop/static/", [*published, r'location ~ "(?s)^/shop/static/(.*/)?\\.(?!well-known/)" { return 404; }']),
        ("= /shop", ["absolute_redirect off;", "return 308 /shop/$is_args$args;"]),
        ("/shop/", PROXY[2:]),
    ]


def test_files_of_the_release_before_are_found_but_nothing_that_a_symlink_leads_to():
    static = [{"url": "/static/", "path": "/current/static", "previous": "/previous/static"}]
    here, before, _app = locations(app("a", static=static))
    assert "error_page 404 = /.wsgi-previous$uri;" in here["lines"]
    assert before == {
        "match": "^~ /.wsgi-previous/static/",
        "lines": [
            "internal;",
            *LOGS,
            *COMPRESSION,
            "try_files $uri =404;",
            "alias /previous/static/;",
            "disable_symlinks on from=/srv/wsgi/a/previous/build/source;",
            r'location ~ "(?s)^/\\.wsgi\\-previous/static/(.*/)?\\.(?!well-known/)" { return 404; }',
        ],
    }


HSTS = 'add_header Strict-Transport-Security "max-age=60" always;'


@pytest.mark.parametrize(
    ("keys", "tls", "expected"),
    [
        ({}, {}, []),
        ({"max_age": "365d"}, {"hsts": 60}, ["expires 365d;"]),
        ({"max_age": "1h", "immutable": True}, {}, ["expires 1h;", "add_header Cache-Control immutable;"]),
        ({"max_age": "1h", "immutable": True}, {"hsts": 60}, ["expires 1h;", "add_header Cache-Control immutable;", HSTS]),
    ],
)
def test_how_long_browsers_keep_a_file(keys, tls, expected):
    static = [{"url": "/static/", "path": "/current", "previous": "/previous", **keys}]
    for found in locations(app("a", static=static, tls=tls))[:2]:
        assert [line for line in found["lines"] if line.startswith(("expires", "add_header"))] == expected


@pytest.mark.parametrize(
    ("previous", "elsewhere", "matches"),
    [
        (None, "/index.html", ["^~ /", "= /api", "/api/"]),
        ("/previous", "/.wsgi-previous$uri", ["^~ /", "^~ /.wsgi-previous/", "= /api", "/api/"]),
    ],
)
def test_a_single_page_application_has_what_its_api_does_not(previous, elsewhere, matches):
    static = [{"url": "/", "path": "/current", "previous": previous, "max_age": "1h", "immutable": True}]
    found = locations(app("a", mount="/api", static=static, tls={"hsts": 60}))
    assert [location["match"] for location in found] == matches
    assert f"error_page 403 404 = {elsewhere};" in found[0]["lines"]
    assert found[0]["lines"][-1] == f"location = /index.html {{ expires off; add_header Cache-Control no-cache; {HSTS} }}"
    assert ("try_files $uri /index.html;" in found[1]["lines"]) == bool(previous)


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
            ["uwsgi_param HTTP_X_FORWARDED_PROTO https;"],
            ["uwsgi_param HTTP_X_FORWARDED_PROTO $scheme;"],
            ["uwsgi_param HTTP_X_FORWARDED_PROTO https;"],
            id="a header in place of ours",
        ),
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


HTTP = [
    *LOGS,
    "client_max_body_size 10m;",
    "proxy_read_timeout 60s;",
    "proxy_send_timeout 60s;",
    "proxy_buffer_size 16k;",
    "proxy_buffers 16 16k;",
    "proxy_busy_buffers_size 32k;",
    "proxy_http_version 1.1;",
    "proxy_redirect off;",
    "proxy_set_header Host $host$wsgi_port_suffix;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $remote_addr;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
    "proxy_set_header X-Forwarded-Host $host$wsgi_port_suffix;",
    "proxy_set_header Upgrade $wsgi_upgrade;",
    "proxy_set_header Connection $wsgi_connection;",
    'proxy_set_header X-Forwarded-Port "";',
    'proxy_set_header X-Forwarded-Prefix "";',
    'proxy_set_header X-Forwarded-Protocol "";',
    'proxy_set_header X-Forwarded-Scheme "";',
    'proxy_set_header X-Forwarded-Server "";',
    'proxy_set_header X-Forwarded-Ssl "";',
    'proxy_set_header X-Scheme "";',
    'proxy_set_header X-Url-Scheme "";',
    'proxy_set_header Front-End-Https "";',
    'proxy_set_header Forwarded "";',
    'proxy_set_header Proxy "";',
    'proxy_set_header X-Script-Name "";',
    'proxy_set_header SCRIPT_NAME "";',
    'proxy_set_header PATH_INFO "";',
    "proxy_pass http://unix:/run/wsgi/a/app.http.sock;",
]


@pytest.mark.parametrize(
    ("raw", "gone"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["proxy_read_timeout 5s;"], ["proxy_read_timeout 60s;"], id="in place of ours"),
        pytest.param(["proxy_set_header X-Mine 1;"], [], id="a header more"),
        pytest.param(
            ["proxy_set_header x-forwarded-for $proxy_add_x_forwarded_for;"],
            ["proxy_set_header X-Forwarded-For $remote_addr;"],
            id="a header in place of ours",
        ),
    ],
)
def test_an_app_that_speaks_http(raw, gone):
    (location,) = locations(app("a", protocol="http", upstream="/run/wsgi/a/app.http.sock", nginx_directives=raw))
    assert location["lines"] == [line for line in HTTP if line not in gone] + raw
