# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites by HTTPS, as visitors see them: certificates, names, ports and redirects."""

from __future__ import annotations

import json

import pytest
from conftest import on

from ansible_collections.wsgi.stack.tests.certificates import Pair, pair

WHERE = """
from wsgiref.util import application_uri, request_uri

def application(environ, start_response):
    if environ["PATH_INFO"] == "/back":
        start_response("302 Found", [("Location", application_uri(environ))])
        return [b""]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['wsgi.url_scheme']} {request_uri(environ)}".encode()]
"""
SIGNED = {"mode": "self_signed"}


@pytest.fixture
def where(code):
    """An application that tells the URL that it was asked for, as it understands it; /back redirects to where it is mounted."""
    return {"source": code(WHERE, "where"), "entry_point": "app:application"}


def ask(server, url, *options, at="127.0.0.1"):
    """What curl gets for a URL on the host: status, HTTP version, Location, and the body or what went wrong."""
    words = " ".join(f"'{option}'" for option in options)
    shown = r"\n%{http_code} %{http_version} %{redirect_url}\n%{errormsg}"
    script = f"curl --silent --max-time 20 --connect-to '::{at}:' --write-out '{shown}' {words} '{url}' || true"
    body, facts, error = server.sh(script).rsplit("\n", 2)
    status, version, location = facts.split(" ")
    return int(status), version, location, error or body


def trusting(site):
    return "--cacert", f"/etc/ssl/wsgi/{site}/live/fullchain.pem"


def presented(server, name, port=443):
    """The certificate that nginx presents for a name, in PEM form."""
    script = f"openssl s_client -connect 127.0.0.1:{port} -servername {name} </dev/null 2>/dev/null | openssl x509"
    return server.sh(script).strip()


def test_sites_that_sign_themselves(server, where, tmp_path):
    shop = {**where, "name": "shop", "domains": ["shop.test", "www.shop.test"], "canonical_domain": "shop.test", "tls": SIGNED}
    blog = {**where, "name": "blog", "stack": "gunicorn_supervisor", "domains": ["blog.test"], "mount": "/blog"}
    blog["tls"] = {**SIGNED, "port": 7443}
    both = {**where, "name": "both", "domains": ["both.test"], "tls": {**SIGNED, "redirect": False}, "preview_port": 5001}
    plain = {**where, "name": "plain", "domains": ["plain.test"]}
    apps = [shop, blog, both, plain]
    listing = "find /etc/ssl/wsgi /etc/nginx -ls 2>/dev/null || true"
    before = server.sh(listing)
    server.converge(apps, "--check", "--diff")
    assert server.sh(listing) == before
    server.converge(apps)
    assert server.converge(apps).changed == []
    assert server.converge(apps, "--check").changed == []
    assert "[warn]" not in server.sh("nginx -t 2>&1")

    assert ask(server, "https://shop.test/x", *trusting("shop")) == (200, "2", "", "https https://shop.test/x")
    assert ask(server, "https://shop.test/back", *trusting("shop"))[2] == "https://shop.test/"
    assert ask(server, "https://shop.test/", *trusting("shop"), "--http1.1")[:2] == (200, "1.1")
    assert ask(server, "https://shop.test/", *trusting("shop"), at="[::1]")[0] == 200
    assert ask(server, "https://www.shop.test/x?y=%20", *trusting("shop"))[:3] == (308, "2", "https://shop.test/x?y=%20")
    for name in ("shop.test", "www.shop.test"):
        assert ask(server, f"http://{name}/x?y=%20")[:3] == (308, "1.1", "https://shop.test/x?y=%20")

    assert ask(server, "https://blog.test:7443/blog/x", *trusting("blog"))[3] == "https https://blog.test:7443/blog/x"
    assert ask(server, "https://blog.test:7443/blog/back", *trusting("blog"))[2] == "https://blog.test:7443/blog"
    assert ask(server, "https://blog.test:7443/blog", *trusting("blog"))[2] == "https://blog.test:7443/blog/"
    for url in ("http://blog.test:7443/blog/x?y=1", "http://blog.test/blog/x?y=1"):
        assert ask(server, url)[::2] == (308, "https://blog.test:7443/blog/x?y=1")

    assert ask(server, "http://both.test/x")[3] == "http http://both.test/x"
    assert ask(server, "https://both.test/x", *trusting("both"))[3] == "https https://both.test/x"
    assert ask(server, "http://plain.test/x")[3] == "http http://plain.test/x"

    for url in (
        "https://nobody.test/",
        "https://plain.test/",
        "https://blog.test/",
        "https://127.0.0.1/",
        "https://shop.test:7443/",
    ):
        status, _version, _location, error = ask(server, url, "--insecure")
        assert status == 0
        assert "unrecognized name" in error
    # A name that comes in somebody else's connection.
    assert ask(server, "https://shop.test/", *trusting("shop"), "--header", "Host: nobody.test")[0] == 421
    assert ask(server, "http://nobody.test:443/")[3] == "Empty reply from server"

    assert ask(server, "http://127.0.0.1:5001/")[::3] == (404, "No release of this app is staged.\n")
    modes = server.sh("cd /etc/ssl/wsgi/shop/live; stat -L -c '%n %a %U:%G' fullchain.pem privkey.pem")
    assert modes.splitlines() == ["fullchain.pem 644 root:root", "privkey.pem 600 root:root"]

    # Without TLS nothing is left of it.
    server.converge([{**app, "tls": {}} for app in apps])
    assert ask(server, "http://shop.test/x")[3] == "http http://shop.test/x"
    assert server.sh("ls /etc/ssl/wsgi") == ""
    assert server.sh("ss -Hltn '( sport = 443 or sport = 7443 )'") == ""
    assert server.converge([{**app, "tls": {}} for app in apps]).changed == []


@on(12)
def test_a_site_of_every_name_is_served_by_address(server, where):
    server.converge([{**where, "name": "every", "tls": {**SIGNED, "port": 8443}}])
    name = server.sh("hostname").strip().lower()
    for host in ("localhost", name):
        assert ask(server, f"https://{host}:8443/", *trusting("every"))[3] == f"https https://{host}:8443/"
    for url in ("https://127.0.0.1:8443/", "https://nobody.test:8443/"):
        assert ask(server, url, "--insecure")[3] == f"https {url}"


@on(12)
def test_what_nginx_has_not_loaded_is_loaded_by_the_next_run(server, where):
    app = {**where, "name": "shop", "domains": ["shop.test"], "tls": SIGNED}
    server.converge([app])
    former = presented(server, "shop.test")
    # As a run that was killed between the two leaves it.
    server.sh(
        """cd /etc/ssl/wsgi/shop; cp -a $(readlink live) self-signed-x; cd self-signed-x
        openssl req -x509 -key privkey.pem -subj /CN=x -addext subjectAltName=DNS:shop.test -days 800 -out fullchain.pem
        ln -sfn self-signed-x ../live"""
    )
    assert "wsgi.stack.nginx : Configure the sites" in server.converge([app], "--check").changed
    play = server.converge([app])
    assert presented(server, "shop.test") == server.sh("openssl x509 -in /etc/ssl/wsgi/shop/live/fullchain.pem").strip()
    assert presented(server, "shop.test") != former
    assert "wsgi.stack.nginx : Configure the sites" in play.changed
    assert server.converge([app]).changed == []

    # A port of one address becomes one of all: nginx would have to end the old listener first.
    server.converge([{**app, "preview_port": 5600}])
    wider = {**app, "tls": {**SIGNED, "port": 5600}}
    play = server.play([wider])
    assert play.code != 0
    assert "since nginx itself listens at 127.0.0.1:5600 until" in play.message, play.message
    assert ask(server, "https://shop.test/x", *trusting("shop"))[0] == 200
    server.converge([app])
    server.converge([wider])
    assert ask(server, "https://shop.test:5600/x", *trusting("shop"))[0] == 200


@on(12)
def test_given_certificates_are_replaced_under_load(server, where, tmp_path):
    server.need("hey")
    server.sh("grep -q given.test /etc/hosts || echo 127.0.0.1 given.test >> /etc/hosts")
    given = pair(["given.test"])
    app = {**where, "name": "given", "domains": ["given.test"], "tls": {"mode": "files", **given.write(tmp_path)}}
    server.converge([app])
    assert presented(server, "given.test") == given.chain.strip()
    assert server.converge([app]).changed == []
    with server.load("/", 8, origin="https://given.test") as counts:
        for days in (40, 50):
            given = pair(["given.test"], days)
            given.write(tmp_path)
            server.converge([app])
            assert presented(server, "given.test") == given.chain.strip()
    assert set(counts) == {"200"}
    assert counts["200"] > 100
    assert len(server.sh("ls /etc/ssl/wsgi/given").split()) == 2
    assert given.key not in server.sh("journalctl --no-pager --output cat")


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """Files that do not do, each with what is said of them."""
    good, other = pair(["given.test"]), pair(["other.test"])
    found = [
        (pair(["given.test"], -1), "tls.certificate: {certificate} expired on "),
        (other, "tls.certificate: {certificate} is for other.test and not for given.test;"),
        (Pair(good.chain, other.key), "tls.key: {key} belongs to another certificate than {certificate};"),
        (Pair("", good.key), "tls.certificate: {certificate} is not a certificate in PEM form;"),
    ]
    return [(files.write(tmp_path_factory.mktemp("bad")), said) for files, said in found]


@on(12)
@pytest.mark.parametrize("which", range(4), ids=["ended", "another name", "another's key", "nothing"])
def test_files_that_do_not_do_are_refused_before_the_host_is_touched(server, where, bad, which):
    paths, said = bad[which]
    play = server.play([{**where, "name": "given", "domains": ["given.test"], "tls": {"mode": "files", **paths}}])
    assert play.code != 0
    assert f"app given: {said.format(**paths)}" in play.output
    assert [result["task"] for result in play.results] == ["Fail if the list of apps has a mistake"]


@on(12)
def test_a_certificate_without_its_key_is_refused(server, where):
    play = server.play([{**where, "name": "given", "tls": {"mode": "files", "certificate": "given.pem"}}])
    assert "app given: tls.key: missing, and mode files has no default for it;" in play.output
    assert [result["task"] for result in play.results] == ["Fail if the list of apps has a mistake"]


@on(12)
def test_files_of_the_host_that_do_not_do_are_their_apps_failure(server, where, tmp_path):
    good, other = pair(["given.test"]), pair(["other.test"])
    for name, text in (("given.pem", good.chain), ("given.key", other.key)):
        server.sh(f"printf %s '{text}' > /etc/ssl/private/{name}")
    tls = {"mode": "files", "on_host": True, "certificate": "/etc/ssl/private/given.pem", "key": "/etc/ssl/private/given.key"}
    app = {**where, "name": "given", "domains": ["given.test"], "tls": tls}
    neighbour = {**where, "name": "shop", "domains": ["shop.test"], "tls": SIGNED}
    play = server.play([app, neighbour])
    assert play.code != 0
    assert "app given: tls: the key /etc/ssl/private/given.key belongs to another certificate than" in play.message
    assert ask(server, "https://shop.test/", *trusting("shop"))[0] == 200
    server.sh(f"printf %s '{good.key}' > /etc/ssl/private/given.key")
    server.converge([app, neighbour])
    assert presented(server, "given.test") == good.chain.strip()
    assert server.converge([app, neighbour]).changed == []


@on(13)
def test_testssl_has_no_finding(server, where):
    server.need("testssl.sh", "dnsutils", "bsdextrautils")
    server.sh("grep -q shop.test /etc/hosts || echo 127.0.0.1 shop.test >> /etc/hosts")
    server.converge([{**where, "name": "shop", "domains": ["shop.test"], "tls": {**SIGNED, "hsts": 31536000}}])
    strict = server.sh("curl --silent --insecure --head https://shop.test/").lower()
    assert "strict-transport-security: max-age=31536000\n" in strict.replace("\r", "")
    # Protocols, ciphers, forward secrecy, preferences, the certificate, known vulnerabilities.
    checks = "--protocols --std --fs --server-preference --server-defaults --vulnerable"
    server.sh(
        f"rm -f /tmp/t.json; testssl --quiet --warnings off --ip 127.0.0.1 --jsonfile /tmp/t.json {checks} shop.test || true"
    )
    found = json.loads(server.sh("cat /tmp/t.json"))
    assert any(finding["id"] == "TLS1_3" and finding["severity"] == "OK" for finding in found)
    serious = [finding for finding in found if finding["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")]
    # What is said of a certificate is said of one that nobody vouches for.
    assert [finding for finding in serious if not finding["id"].startswith("cert_")] == []
