# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx._locations import locations
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
    "uwsgi_pass unix:/run/wsgi/a/app.sock;",
]


def test_the_locations_of_an_app():
    static = [{"url": "/static/", "path": "/srv/wsgi/a/static"}, {"url": "/media/", "path": '/srv/wsgi/a/a "b"; c'}]
    assert locations(app("a", static=static)) == [
        {
            "match": "^~ /static/",
            "lines": [
                *LOGS,
                "alias /srv/wsgi/a/static/;",
                "disable_symlinks if_not_owner from=/srv/wsgi/a/static;",
                r'location ~ "(?s)^/static/(.*/)?\\.(?!well-known/)" { return 404; }',
            ],
        },
        {
            "match": "^~ /media/",
            "lines": [
                *LOGS,
                r'alias "/srv/wsgi/a/a \"b\"; c/";',
                r'disable_symlinks if_not_owner "from=/srv/wsgi/a/a \"b\"; c";',
                r'location ~ "(?s)^/media/(.*/)?\\.(?!well-known/)" { return 404; }',
            ],
        },
        {"match": "/", "lines": PROXY},
    ]


def test_the_locations_below_a_prefix():
    static = [{"url": "/shop/static/", "path": "/srv/x"}]
    assert [(location["match"], location["lines"][2:]) for location in locations(app("a", mount="/shop", static=static))] == [
        (
            "^~ /shop/static/",
            [
                "alias /srv/x/;",
                "disable_symlinks if_not_owner from=/srv/x;",
                r'location ~ "(?s)^/shop/static/(.*/)?\\.(?!well-known/)" { return 404; }',
            ],
        ),
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
