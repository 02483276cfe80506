# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _redirects
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._visit import Answer, Visit
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _configuration

SERVERS = _configuration.parse(
    "# configuration file /n:\nhttp { server { listen 80; listen 443 ssl; server_name a.test www.a.test; } }\n"
).servers
FIRST = Visit("192.0.2.1", 80, "a.test")
HTTP, HTTPS = "http://a.test/", "https://a.test/"
COOKIE = (("seen", "1"),)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/", HTTP),
        ("", HTTP),
        (HTTPS, HTTPS),
        ("https://A.test", HTTPS),
        ("http://a.test:8080/", "http://a.test:8080/"),
        ("https://a.test:443/", HTTPS),
        ("https://B.test/", "https://b.test/"),
        ("/login", None),
        ("//a.test/", None),
        ("https://a.test/ x", None),
        ("\x1b[31m", None),
    ],
)
def test_a_redirect_to_the_same_page(location, url):
    found = _redirects.leads_to(FIRST, Answer(301, location))
    assert (found.url if found else None) == url


def follow(first, answers):
    """The URLs of the loop, whether it heeds the scheme, and the visits that were made; ``answers`` has a list for each URL."""
    asked = []

    def ask(visit):
        asked.append(visit)
        return answers[visit.url].pop(0)

    return _redirects.follow(FIRST, first, SERVERS, ask), asked


def test_a_loop_between_two_ports():
    loop, _asked = follow(Answer(301, HTTPS), {HTTPS: [Answer(302, HTTP), Answer(200)]})
    assert (loop.urls, loop.heeds_scheme) == ((HTTP, HTTPS, HTTP), True)


def test_a_loop_between_two_names():
    www = "http://www.a.test/"
    loop, asked = follow(Answer(301, www), {www: [Answer(301, "http://a.test/")] * 2, HTTP: [Answer(301, www)]})
    assert (loop.urls, asked[0].name) == ((HTTP, www, HTTP), "www.a.test")


def test_a_page_that_wants_to_see_its_cookie_once_is_no_loop():
    loop, asked = follow(Answer(302, "/", cookies=COOKIE), {HTTP: [Answer(200)]})
    assert (loop, asked[0].headers) == (None, (("Cookie", "seen=1"),))
    loop, _asked = follow(Answer(302, "/", cookies=COOKIE), {HTTP: [Answer(302, "/", cookies=COOKIE)] * 3})
    assert loop.heeds_scheme is False


@pytest.mark.parametrize(
    "first",
    [
        Answer(200),
        Answer(404, "/"),
        Answer(301, "http://b.test/"),
        Answer(301, "https://a.test:8443/"),
        Answer(301, "http://a.test:443/"),
    ],
)
def test_what_ends_or_leaves_nginx_is_no_loop(first):
    assert follow(first, {HTTPS: []}) == (None, [])
