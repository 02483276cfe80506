# SPDX-License-Identifier: GPL-3.0-or-later
"""What a visitor gets."""

from __future__ import annotations

import http.client

import pytest


def test_app_from_git_repository(ask):
    written = ask("shop.test", "/", "POST", "name=Ada&message=Works+behind+nginx")
    assert (written.status, written.headers["Location"]) == (303, "/")

    page = ask("shop.test", "/")
    assert page.status == 200
    assert "Works behind nginx" in page.text


def test_app_from_directory(ask):
    assert ask("shop.test", "/shop/").status == 200


def test_app_from_package_index(ask):
    assert ask("httpbin.test", "/get?a=b").json()["args"] == {"a": "b"}


@pytest.mark.parametrize(("path", "rest"), [("/shop/", "/"), ("/shop/basket/1", "/basket/1"), ("/shop/a%20b?c=d", "/a b")])
def test_prefix_is_the_script_name(ask, path, rest):
    environ = ask("shop.test", path).json()
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", rest)


def test_what_only_begins_like_the_prefix_is_the_other_app_s(ask):
    assert ask("shop.test", "/shopping").status == 404


def test_app_knows_the_visitor_s_address_and_name(ask):
    environ = ask("shop.test", "/shop/").json()
    assert environ["HTTP_HOST"] == "shop.test"
    assert environ["REMOTE_ADDR"]
    assert environ["wsgi.url_scheme"] == "http"


def test_static_files_are_served_by_nginx(ask):
    assert "no code to serve" in ask("shop.test", "/shop/files/about.txt").text
    assert ask("shop.test", "/static/style.css").headers["Content-Type"].startswith("text/css")


def test_static_url_does_not_lead_out_of_its_directory(ask):
    assert ask("shop.test", "/static../__init__.py").status == 404


def test_other_names_redirect_to_the_canonical_one(ask):
    answer = ask("www.shop.test", "/shop/basket?item=1")
    assert answer.status in (301, 308)
    assert answer.headers["Location"] == "http://shop.test/shop/basket?item=1"


@pytest.mark.parametrize("domain", ["unknown.test", "127.0.0.1"])
def test_unknown_names_get_no_answer(ask, domain):
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        ask(domain, "/")


def test_ipv6(host):
    if not host.file("/proc/net/if_inet6").content_string:
        pytest.skip("the host has no IPv6")
    asked = host.run(
        "python3 -c %s",
        "import http.client; connection = http.client.HTTPConnection('[::1]', timeout=10);"
        "connection.request('GET', '/shop/', headers={'Host': 'shop.test'}); print(connection.getresponse().status)",
    )
    assert asked.stdout == "200\n", asked.stderr
