# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration

MAIN = """\
nginx: the configuration file /etc/nginx/nginx.conf syntax is ok
nginx: configuration file /etc/nginx/nginx.conf test is successful
# configuration file /etc/nginx/nginx.conf:
user www-data; # workers
pid /run/nginx.pid;
error_log /var/log/nginx/error.log warn;
http {
    access_log /var/log/nginx/access.log main;
    log_format main '$remote_addr { "quoted" } ; # no comment';
    map $http_upgrade $up { default upgrade; '' close; "~^{;}" x; }
    include conf.d/*.conf;
    include /etc/nginx/sites-enabled/*;
}

# configuration file /etc/nginx/conf.d/wsgi.conf:
upstream shop {
    server unix:/run/shop/app.sock fail_timeout=0;
    server 127.0.0.1:8001 backup;
    server 127.0.0.1:8002 down;
}

# configuration file /etc/nginx/sites-enabled/shop:
server {
    listen 80 default_server;
    listen [::]:443 ssl;
    listen unix:/run/nginx.sock;
    server_name shop.example.com
                www.shop.example.com;
    ssl_certificate     "/etc/ssl/shop.pem";
    ssl_certificate_key /etc/ssl/shop.key;
    error_log /var/log/nginx/shop.error.log;
    location / {
        include snippets/pass.conf;
    }
    location ~ \\.cgi$ {
        if ($request_method = "POST") { return 405; }
        error_log /var/log/nginx/cgi.log;
        proxy_pass http://unix:/run/cgi.sock:/base/;
    }
    location /api/ {
        location = /api/old { proxy_pass https://old.example.com/v1/; }
        proxy_pass http://127.0.0.1:8000;
    }
}

# configuration file /etc/nginx/snippets/pass.conf:
uwsgi_pass shop;
"""


@pytest.fixture
def shop():
    (server,) = _configuration.parse(MAIN).servers
    return server


def passes(text):
    """The upstreams of a location."""
    server = f"http {{ upstream app {{ server unix:/a.sock; }} server {{ location /x {{ {text} }} }} }}"
    return _configuration.parse(f"# configuration file /etc/nginx/nginx.conf:\n{server}\n").upstreams


def test_a_configuration_is_read_through_its_includes():
    found = _configuration.parse(MAIN)
    assert (found.user, found.pid) == ("www-data", "/run/nginx.pid")
    assert found.error_logs == ("/var/log/nginx/error.log",)
    assert found.files[-1] == "/etc/nginx/snippets/pass.conf"
    assert len(found.files) == 4
    assert set(found.logs) == {f"/var/log/nginx/{name}" for name in ("error.log", "access.log", "shop.error.log", "cgi.log")}


def test_a_server_has_names_ports_and_certificates(shop):
    assert shop.names == ("shop.example.com", "www.shop.example.com")
    assert [listen.address for listen in shop.listens] == ["*:80", "[::]:443", "unix:/run/nginx.sock"]
    assert [listen.port for listen in shop.listens] == [80, 443, None]
    assert [listen.tls for listen in shop.listens] == [False, True, False]
    assert [listen.default for listen in shop.listens] == [True, False, False]
    assert shop.certificates == (("/etc/ssl/shop.pem", "/etc/ssl/shop.key"),)
    assert (shop.file, shop.line) == ("/etc/nginx/sites-enabled/shop", 1)
    assert shop.locations == ("/", "~ \\.cgi$", "/api/", "= /api/old")
    assert shop.error_logs == ("/var/log/nginx/shop.error.log", "/var/log/nginx/cgi.log")


def test_the_places_where_requests_leave_nginx_are_found(shop):
    found = [(up.address, up.protocol, up.location, up.uri, up.tls) for up in shop.upstreams]
    assert found == [
        ("unix:/run/shop/app.sock", "uwsgi", "/", "/", False),
        ("127.0.0.1:8001", "uwsgi", "/", "/", False),
        ("unix:/run/cgi.sock", "http", "~ \\.cgi$", "/base/", False),
        ("old.example.com:443", "http", "= /api/old", "/v1/", True),
        ("127.0.0.1:8000", "http", "/api/", "/api/", False),
    ]
    first, second = shop.upstreams[:2]
    assert (first.group, first.backup, second.backup) == ("shop", False, True)
    assert (first.file, first.line, first.path) == ("/etc/nginx/snippets/pass.conf", 1, "/run/shop/app.sock")
    assert first.names == shop.names


@pytest.mark.parametrize(
    ("text", "address", "protocol"),
    [
        ("uwsgi_pass unix:/run/a.sock;", "unix:/run/a.sock", "uwsgi"),
        ("uwsgi_pass unix:///run/a.sock;", "unix:///run/a.sock", "uwsgi"),
        ("uwsgi_pass unix:/run/a.sock:;", "unix:/run/a.sock:", "uwsgi"),  # nginx takes the colon for a part of the name
        ("uwsgi_pass 'unix:/run/a b.sock';", "unix:/run/a b.sock", "uwsgi"),
        ("uwsgi_pass app;", "unix:/a.sock", "uwsgi"),
        ("proxy_pass http://app/sub;", "unix:/a.sock", "http"),
        ("proxy_pass http://app$request_uri;", "app$request_uri", "http"),
        ("proxy_pass http://$backend;", "$backend", "http"),
        ("proxy_pass http://${name}.internal:80;", "${name}.internal:80", "http"),
        ("proxy_pass http://localhost;", "localhost:80", "http"),
        ("proxy_pass http://[::1]:8000;", "[::1]:8000", "http"),
        ("fastcgi_pass unix:/run/php.sock;", "unix:/run/php.sock", "fastcgi"),
        ("grpc_pass grpcs://127.0.0.1:9;", "127.0.0.1:9", "grpc"),
        ("if ($x) { proxy_pass http://127.0.0.1:1; }", "127.0.0.1:1", "http"),
    ],
)
def test_an_address_is_what_nginx_connects_to(text, address, protocol):
    (found,) = passes(text)
    assert (found.address, found.protocol, found.location) == (address, protocol, "/x")
    assert found.variable == ("$" in address)


def test_code_of_other_languages_is_passed_over():
    code = """
        access_by_lua_block {
            -- a comment with a } in it
            local text = "}" .. '}' .. [[ } uwsgi_pass nowhere; ]]
            if text then return { } end
        }
        uwsgi_pass unix:/run/a.sock;
    """
    assert [up.address for up in passes(code)] == ["unix:/run/a.sock"]


def test_servers_of_other_contexts_are_none_of_http():
    text = "# configuration file /n.conf:\nstream { server { listen 5432; proxy_pass db:5432; } }\nhttp { server { } }\n"
    (server,) = _configuration.parse(text).servers
    assert [listen.address for listen in server.listens] == ["*:80"]


def test_certificates_are_inherited_by_servers_with_tls():
    text = (
        "# configuration file /n.conf:\n"
        "http { ssl_certificate /c; ssl_certificate_key /k; server { listen 443 ssl; } server { listen 80; } }\n"
    )
    assert [server.certificates for server in _configuration.parse(text).servers] == [(("/c", "/k"),), ()]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nginx: [emerg] open() failed",
        "# configuration file /n.conf:\nhttp { server { listen 80",
        "# configuration file /n.conf:\n} } http { server { listen 80; } }",
        '# configuration file /n.conf:\nhttp { server { server_name "open; } }',
        "# configuration file /n.conf:\n{ ; } server_name;\n\\",
        "# configuration file /etc/n.conf:\ninclude n.conf;\nhttp { include *; server { } }\n",
    ],
)
def test_what_nginx_would_refuse_is_read_as_far_as_it_goes(text):
    assert len(_configuration.parse(text).servers) == ("server {" in text)
