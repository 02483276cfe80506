# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _judge_visit
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._judge_visit import Seen
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._redirects import Loop
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._visit import Answer, Visit
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration, _routing

VISIT = Visit("192.0.2.1", 80, "a.test")
DJANGO = "<!doctype html><h1>Bad Request (400)</h1>"


def seen(tmp_path, monkeypatch, text, answer, **known):
    """What was seen of a site with this block, in a file that only root can change."""
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: True)
    path = tmp_path / "site"
    path.write_text(f"server {{\nserver_name a.test;\n{text}\n}}\n")
    configuration = _configuration.parse(f"# configuration file {path}:\nhttp {{ {path.read_text()} }}\n")
    (server,) = configuration.servers
    (route,) = _routing.routes(server.block, configuration.http)
    return Seen(VISIT, answer, route, server, configuration.http, **known)


PROXY = "location / { proxy_pass http://group; }"
UWSGI = "location / { uwsgi_pass unix:/a.sock; }"
VARIABLE = "location / { set $to back.test; proxy_pass http://$to:8000; }"
HOST = "location / { proxy_set_header Host $host; proxy_pass http://group; }"
OTHER = HOST.replace("$host", "b.test")
PARAMS = "location / { uwsgi_param REQUEST_METHOD $request_method; uwsgi_pass unix:/a.sock; }"


BIG = "upstream sent too big header"


@pytest.mark.parametrize(
    ("text", "answer", "known", "code", "fix"),
    [
        (UWSGI, Answer(500), {"direct": {"a.test": 200}}, "uwsgi_params_missing", "#include uwsgi_params; uwsgi_pass#"),
        (UWSGI, Answer(200), {"direct": {"a.test": 200}}, None, ""),
        (PARAMS, Answer(502), {"direct": {"a.test": 200}}, "visitor_error", "Correct "),
        (VARIABLE, Answer(502), {}, "resolver_missing", "#proxy_pass http://back.test:8000#"),
        (f"resolver 127.0.0.1; {VARIABLE}", Answer(502), {}, "visitor_error", "Correct "),
        (VARIABLE.replace("8000", "8000/x$uri"), Answer(502), {}, "resolver_missing", "Write "),
        (VARIABLE, Answer(502), {"log": "connect() failed (111: Connection refused)"}, "visitor_error", "Correct "),
        (
            PROXY,
            Answer(400),
            {"direct": {"group": 400, "a.test": 200}},
            "host_not_passed",
            "Host $http_host; proxy_pass#",
        ),
        (
            PROXY,
            Answer(404),
            {"direct": {"group": 404, "a.test": 200}},
            "host_not_passed",
            "Host $http_host; proxy_pass#",
        ),
        (PROXY, Answer(404), {"direct": {"group": 200, "a.test": 200}}, None, ""),
        (
            OTHER,
            Answer(400),
            {"direct": {"a.test": 200, "b.test": 400}},
            "host_not_passed",
            "#proxy_set_header Host $http_host#",
        ),
        (HOST, Answer(400), {"direct": {"a.test": 400, "localhost": 200}}, "host_refused", "Add a.test "),
        (
            HOST,
            Answer(400, body=DJANGO),
            {"direct": {"a.test": 400, "localhost": 400}},
            "host_refused",
            "Add a.test ",
        ),
        (HOST, Answer(400, body="no parameter"), {"direct": {"a.test": 400, "localhost": 400}}, None, ""),
        (HOST, Answer(403), {"direct": {"a.test": 403, "localhost": 403}}, None, ""),
        (HOST, Answer(500), {"direct": {"a.test": 500}}, "visitor_error", "Find the cause in "),
        (HOST, Answer(502), {"direct": {"a.test": 200}, "log": BIG}, "visitor_error", "#proxy_buffer_size 32k; "),
        (
            f"proxy_buffer_size 4k; {HOST}",
            Answer(502),
            {"direct": {"a.test": 200}, "log": BIG},
            "visitor_error",
            "Set proxy_buffer",
        ),
        (f"limit_req zone=a; {HOST}", Answer(503), {"direct": {"a.test": 200}}, None, ""),
        (HOST, Answer(421), {"direct": {"a.test": 200}}, "visitor_error", "Correct "),
        (HOST, Answer(error="ECONNREFUSED", text="refused"), {}, "not_listening", "nginx -t && "),
        (HOST, Answer(error="EADDRNOTAVAIL", text="no such address"), {}, None, ""),
        (HOST, Answer(error="EOF", text="closed"), {}, "visitor_error", "Find "),
        (f"if ($bot) {{ return 444; }} {HOST}", Answer(error="EOF", text="closed"), {}, None, ""),
    ],
)
def test_the_cause_of_a_failed_visit(tmp_path, monkeypatch, text, answer, known, code, fix):
    found = _judge_visit.judge(seen(tmp_path, monkeypatch, text, answer, **known))
    assert (found.code if found else None) == code
    assert found is None or (fix in found.fix and found.severity == "broken")


@pytest.mark.parametrize(
    ("text", "heeds", "fix"),
    [
        (PROXY, True, "#proxy_set_header X-Forwarded-Proto $scheme; proxy_pass#"),
        (HOST, True, "#proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header#"),
        (PARAMS, True, "#uwsgi_param HTTP_X_FORWARDED_PROTO $scheme; uwsgi_param#"),
        (HOST, False, "Add 'proxy_set_header X-Forwarded-Proto $scheme' beside "),
        (HOST.replace("Host $host", "X-Forwarded-Proto $scheme"), False, "Let the app heed "),
    ],
)
def test_an_endless_redirect(tmp_path, monkeypatch, text, heeds, fix):
    loop = Loop(("https://a.test/", "https://a.test/"), heeds)
    found = _judge_visit.judge(seen(tmp_path, monkeypatch, text, Answer(301), loop=loop))
    assert (found.code, found.evidence[0]) == ("redirect_loop", "https://a.test/ -> https://a.test/")
    assert fix in found.fix


def test_an_endless_redirect_between_two_names(tmp_path, monkeypatch):
    loop = Loop(("http://a.test/", "http://www.a.test/", "http://a.test/"), False)
    found = _judge_visit.judge(seen(tmp_path, monkeypatch, HOST, Answer(301), loop=loop))
    assert found.message == "Endless redirect: a.test and www.a.test send visitors of http://a.test/ to each other."
    assert found.fix.startswith("Remove the redirect from the name that you want to keep")


REDIRECT = "return 301 https://$host$request_uri;"


@pytest.mark.parametrize(
    ("listens", "text", "fix"),
    [
        ("listen 80; listen 443 ssl;", f"{REDIRECT} {HOST}", "Move {} to a server block of its own that listens on port 80 only"),
        ("listen 80; listen 443 ssl;", f"rewrite ^ https://$host$request_uri? permanent; {HOST}", "Move {}"),
        ("listen 80; listen 443 ssl;", f"rewrite ^/old https://$host/; rewrite ^(.*)$ /new$1; {HOST}", "Add "),
        ("listen 443 ssl;", HOST.replace("{", "{ return https://$host/;"), "Remove {}"),
        ("listen 80; listen 443 ssl;", f"if ($old) {{ {REDIRECT} }} {HOST}", "Add "),
        ("listen 80;", f"{REDIRECT} {HOST}", "Add "),  # who redirects at port 443 is another server block
        ("listen 80; listen 443 ssl;", f"return 404; {HOST}", "Add "),
    ],
)
def test_an_endless_redirect_of_nginx_itself(tmp_path, monkeypatch, listens, text, fix):
    loop = Loop(("http://a.test/", "https://a.test/", "https://a.test/"), False)
    found = _judge_visit.judge(seen(tmp_path, monkeypatch, f"{listens}\n{text}", Answer(301), loop=loop))
    assert found.code == "redirect_loop"
    assert found.fix.startswith(fix.format(f"{tmp_path}/site:4"))
    assert ("nginx itself" in found.message) == (not fix.startswith("Add "))


@pytest.mark.parametrize(
    ("text", "fix"),
    [(HOST, "Set up HTTPS "), (HOST.replace("Host $host", "X-Forwarded-Proto $scheme"), " instead of $scheme at ")],
)
def test_a_redirect_to_where_nginx_does_not_listen(tmp_path, monkeypatch, text, fix):
    loop = Loop(("http://a.test/", "https://a.test/"), False, True)
    found = _judge_visit.judge(seen(tmp_path, monkeypatch, text, Answer(301), loop=loop))
    assert "to https://a.test/, where nginx does not listen." in found.message
    assert fix in found.fix


def test_a_list_of_headers_in_another_file_is_not_replaced_by_one_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(_untrusted, "is_roots_alone", lambda _path: True)
    text = f"# configuration file /main:\nhttp {{ proxy_set_header A b; include {tmp_path}/site; }}\n"
    (tmp_path / "site").write_text("server { location / { proxy_pass http://group; } }\n")
    configuration = _configuration.parse(f"{text}\n# configuration file {tmp_path}/site:\n{(tmp_path / 'site').read_text()}\n")
    (server,) = configuration.servers
    (route,) = _routing.routes(server.block, configuration.http)
    direct = {"group": 400, "a.test": 200}
    found = _judge_visit.judge(Seen(VISIT, Answer(400), route, server, configuration.http, direct))
    assert found.fix == "Add 'proxy_set_header Host $http_host' beside /main:1, and reload nginx."


@pytest.mark.parametrize(
    ("text", "host"),
    [
        (PROXY, "group"),
        (HOST, None),
        (PROXY.replace("http://group", "http://unix:/a.sock"), "localhost"),
        (PROXY.replace("group", "127.0.0.1:8000"), "127.0.0.1:8000"),
        (PROXY.replace("group", "a.test:80/x"), "a.test"),
        (HOST.replace("$host", '""'), ""),
        (VARIABLE, None),
        (UWSGI, None),
    ],
)
def test_the_host_that_an_app_is_asked_for(tmp_path, monkeypatch, text, host):
    assert _judge_visit.passed_host(seen(tmp_path, monkeypatch, text, Answer(200)).route) == host
