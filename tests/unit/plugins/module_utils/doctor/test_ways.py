# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _examine, _ways
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._reach import Addresses
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._result import Site
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration

MINE = Addresses(frozenset({"192.0.2.1", "127.0.0.1"}), "192.0.2.1", "")
APP = "proxy_pass http://unix:/run/a.sock;"


@pytest.fixture
def look(tmp_path, monkeypatch):
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: True)

    def looked(text):
        (tmp_path / "n").write_text(text)
        main = f"# configuration file /m:\nhttp {{ include {tmp_path}/n; }}\n# configuration file {tmp_path}/n:\n{text}\n"
        configuration = _configuration.parse(main)
        sites = [Site(servers) for servers in _examine.grouped(configuration.servers)]
        found = [finding for site in sites for finding in [*_ways.judge(site, configuration, MINE), *_ways.aliases(site)]]
        return [(finding.code, finding.fix) for finding in found]

    return looked


def server(text):
    return f"server {{ listen 80; server_name a.test;\n{text}\n}}"


@pytest.mark.parametrize(
    ("text", "code", "fix"),
    [
        (
            f"location / {{ try_files $uri $uri/ =404; }}\nlocation @app {{ {APP} }}",
            "location_unused",
            r"\$uri/[[:blank:]][[:blank:]]*=404#try_files $uri @app#",
        ),
        (f"location / {{ try_files $uri @app; }}\nlocation @app {{ {APP} }}", "", ""),
        (f"error_page 404 = @app;\nlocation @app {{ {APP} }}", "", ""),
        (f"location /api {{ {APP} }}\nlocation @app {{ {APP} }}", "", ""),
        (f"location @app {{ {APP} }}", "location_unused", "end with @app"),
        (f"location / {{\ntry_files $uri =404;\n{APP} }}", "try_files_beside", "=404;##"),
        (f"location / {{\ntry_files $uri @app;\n}}\nlocation @app {{ {APP} }}", "", ""),
        ("location / { proxy_pass http://127.0.0.1:80; proxy_set_header Host a.test; }", "proxies_itself", "Name the address"),
        ("location / { proxy_pass http://localhost; proxy_set_header Host $host; }", "proxies_itself", "Name the address"),
        ("location / { proxy_pass http://192.0.2.1:80; proxy_set_header Host $host; }", "proxies_itself", "Name the address"),
        ("location / { proxy_pass http://127.0.0.1:8000; proxy_set_header Host $host; }", "", ""),
        ("location / { proxy_pass http://192.0.2.7:80; proxy_set_header Host $host; }", "", ""),
        ("location / { proxy_pass http://127.0.0.1/a/; proxy_set_header Host $host; }\nlocation /a/ { return 204; }", "", ""),
        ("location / { proxy_pass http://127.0.0.1; proxy_set_header Host b.test; } }\nserver { server_name b.test;", "", ""),
    ],
)
def test_locations_that_do_not_lead_to_the_app(look, text, code, fix):
    found = look(server(text))
    assert [each for each, _fix in found] == [code] * bool(code)
    assert all(fix in each for _code, each in found), found


@pytest.mark.parametrize(
    ("location", "alias", "code", "fix"),
    [
        ("/static/", "", "alias_slash", "/static/#"),
        ("/static", "/", "alias_traversal", "#location /static/#"),
        ("/static/", "/", "", ""),
        ("/static", "", "", ""),
        ("^~ /static/", "", "alias_slash", "/static/#"),
        ("~ ^/static/", "", "", ""),
        ("= /static/", "", "", ""),
    ],
)
def test_the_slashes_of_an_alias(look, tmp_path, location, alias, code, fix):
    (tmp_path / "static").mkdir()
    found = look(server(f"location {location} {{\nalias {tmp_path}/static{alias}; }}"))
    assert [each for each, _fix in found] == [code] * bool(code)
    assert all(fix in each for _code, each in found), found


def test_the_alias_of_a_file_has_no_slash(look, tmp_path):
    assert look(server(f"location /robots/ {{\nalias {tmp_path}/n; }}")) == []
