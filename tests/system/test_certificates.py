# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of a real ACME server, in one run, and what becomes of them."""

from __future__ import annotations

import collections
import contextlib
import re

import pytest
from conftest import ROOT, on

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve

PEBBLE = ROOT / "tests/images/pebble"
FIRST, SECOND = "https://localhost:14000/dir", "https://localhost:14001/dir"
BUNDLE = "/srv/pebble/ca.pem"
ROLE = {"certbot_agree_tos": True, "certbot_server": FIRST, "certbot_ca_bundle": BUNDLE}
MODULE = {"agree_tos": True, "server": FIRST, "ca_bundle": BUNDLE}
MONTH = str(30 * 86400)


def pebble(server, *how):
    return server.sh(PEBBLE.read_text(), *how)


@pytest.fixture
def acme(server):
    """A running ACME server."""
    pebble(server, "start", "first")
    return server


def site(hello, name, *domains, **tls):
    return {**hello, "name": name, "domains": list(domains), "tls": {"mode": "certbot", **tls}}


def served(server, name):
    """What nginx presents for a name: the serial number, the issuer and the names, as openssl shows them."""
    ask = "openssl s_client -connect 127.0.0.1:443 -servername"
    show = "openssl x509 -noout -serial -issuer -ext subjectAltName"
    return server.sh(f'{ask} "$1" </dev/null 2>/dev/null | {show}', name)


def names(shown):
    return sorted(re.findall(r"DNS:([^\s,]+)", shown))


def orders(server):
    """How often the first ACME server was asked for a certificate."""
    return server.sh("journalctl --no-pager --unit pebble-first").count("POST /order-plz ")


def ordered(server):
    """The names that certbot has ordered certificates for, by its log."""
    return set(re.findall(r'"value": "([^"]+)"', server.sh("cat /var/log/letsencrypt/letsencrypt.log*")))


def issued(server, name):
    """How often certbot has got a certificate."""
    return len(server.sh("ls /etc/letsencrypt/archive/$1/cert*.pem", name).split())


def trusted(server, root):
    """A file on the host with a root certificate."""
    server.sh("cat >/tmp/root.pem <<END\n" + root + "END\n")
    return "/tmp/root.pem"


def secure(server, url, root):
    """The status of a page and where it redirects to, for somebody who trusts nothing but the ACME server's root."""
    say = r"%{http_code} %{redirect_url}"
    return server.sh(f"curl --silent --cacert {trusted(server, root)} --output /dev/null --write-out '{say}' '{url}'").strip()


@contextlib.contextmanager
def visitor(server, url, root):
    """Somebody who trusts nothing but the ACME server's root, and asks for a page ten times a second while the block lasts.

    :returns: how often what came of it, a status or curl's error, when the block has ended
    """
    counts = collections.Counter()
    # With HTTP/2, an nginx worker that ends closes a connection that has not sent a request yet; browsers open another one.
    say = "%{http_code}%{errormsg}\\n"
    ask = f"curl --http1.1 --silent --cacert {trusted(server, root)} --output /dev/null --write-out '{say}' '{url}'"
    server.sh(f'touch /tmp/visiting; timeout 300 sh -c "while test -e /tmp/visiting; do {ask}; sleep 0.1; done" >/tmp/visits &')
    try:
        yield counts
    finally:
        server.sh("rm /tmp/visiting; sleep 1")
        counts.update(server.sh("cat /tmp/visits").split("\n")[:-1])


def certbot(server, arguments):
    """Run certbot by hand."""
    return server.sh(f"REQUESTS_CA_BUNDLE={BUNDLE} certbot {arguments} 2>&1")


def renewed(server, name):
    return server.sh("cat /etc/letsencrypt/renewal/$1.conf", name)


def test_one_run_from_nothing_and_with_an_acme_server_that_is_down(server, hello):
    server.need("hey")
    pebble(server, "start", "first")
    pebble(server, "resolve", "127.0.0.1", "shop.test", "www.shop.test")
    pebble(server, "stop", "first")
    apps = [
        {**hello, "name": "other"},
        site(hello, "shop", "shop.test", "www.shop.test") | {"canonical_domain": "shop.test"},
    ]
    assert server.play(apps, "playbooks/site.yml", "--check", "--diff", **ROLE).code == 0

    down = server.play(apps, **ROLE)
    assert down.code != 0
    sentence = rf"app shop: certificate: the ACME server {FIRST} is not available: Connection refused; correct the URL, or"
    assert re.search(sentence, down.message), down.output
    assert server.sh("curl -sk https://shop.test/").startswith("hello|"), "the site does not serve with a placeholder"

    pebble(server, "start", "first")
    with server.load("/", clients=4) as counts:
        server.converge(apps, **ROLE)
    assert set(counts) == {"200"}, counts
    root = pebble(server, "root", "first")
    assert secure(server, "https://shop.test/", root) == "200"
    assert secure(server, "https://www.shop.test/x", root) == "308 https://shop.test/x"
    assert secure(server, "http://shop.test/x", root) == "308 https://shop.test/x"
    assert server.sh("systemctl is-active certbot.timer && systemctl is-enabled certbot.timer").split() == ["active", "enabled"]

    asked = orders(server)
    assert server.converge(apps, **ROLE).changed == []
    assert server.converge(apps, "--check", **ROLE).changed == []
    assert orders(server) == asked


@on(12)
def test_names_come_and_go_and_one_that_leads_elsewhere_is_named(acme, hello):
    pebble(acme, "resolve", "127.0.0.1", "a.test", "b.test", "blog.test")
    pebble(acme, "forget", "lost.test")
    acme.converge([site(hello, "shop", "a.test")], **ROLE)
    before = issued(acme, "shop")

    play = acme.play([site(hello, "shop", "a.test", "b.test"), site(hello, "blog", "blog.test", "lost.test")], **ROLE)
    assert play.code != 0
    assert "app blog: certificate: lost.test does not resolve" in play.message
    assert "so the CA was not asked" in play.message
    assert "app shop" not in play.message
    assert issued(acme, "shop") == before + 1
    assert ordered(acme) & {"b.test", "blog.test", "lost.test"} == {"b.test"}, "an attempt was spent on what leads nowhere"
    assert names(served(acme, "a.test")) == ["a.test", "b.test"]
    assert acme.sh("curl -sk https://blog.test/").startswith("hello|")

    acme.converge([site(hello, "shop", "b.test"), site(hello, "blog", "blog.test")], **ROLE)
    assert names(served(acme, "b.test")) == ["b.test"]
    assert names(served(acme, "blog.test")) == ["blog.test"]
    assert "blog.test" in ordered(acme)

    # Another app becomes the first on a domain: its visitors do not see a placeholder.
    serial, asked = served(acme, "b.test"), orders(acme)
    apps = [site(hello, "early", "b.test") | {"mount": "/early"}, site(hello, "shop", "b.test"), site(hello, "blog", "blog.test")]
    with visitor(acme, "https://b.test/", pebble(acme, "root", "first")) as seen:
        acme.converge(apps, **ROLE)
    assert set(seen) == {"200"}, seen
    assert seen["200"] > 20
    assert served(acme, "b.test") == serial
    assert orders(acme) == asked
    assert acme.converge(apps, **ROLE).changed == []


def test_the_timers_command_renews_what_it_can_and_nginx_presents_it(acme, hello):
    acme.need("hey")
    pebble(acme, "resolve", "127.0.0.1", "kept.test", "astray.test")
    apps = [{**hello, "name": "other"}, site(hello, "astray", "astray.test"), site(hello, "kept", "kept.test")]
    acme.converge(apps, **ROLE)
    # They are valid for five years, or for a month; now that is to be renewed.
    acme.sh("sed -i 's/^.*renew_before_expiry = .*/renew_before_expiry = 3000 days/' /etc/letsencrypt/renewal/*.conf")
    pebble(acme, "forget", "astray.test")

    with acme.load("/", clients=4) as counts:
        for _attempt in range(5):
            before = served(acme, "kept.test"), served(acme, "astray.test")
            acme.sh("systemctl start certbot.service", check=False)
            after = served(acme, "kept.test"), served(acme, "astray.test")
            # Pebble takes a name as validated by a former order once in a hundred times, even if told never to.
            if after[0] != before[0] and after[1] == before[1]:
                break
    assert set(counts) == {"200"}, counts
    assert after[0] != before[0]
    assert after[1] == before[1]
    said = acme.sh("journalctl --no-pager --output cat --identifier wsgi-certbot")
    assert "nginx was reloaded for the renewed certificate /etc/letsencrypt/live/kept (kept.test)." in said

    pebble(acme, "resolve", "127.0.0.1", "astray.test")
    for name in ("kept", "astray"):
        said = certbot(acme, f"renew --dry-run --server {FIRST} --no-random-sleep-on-renew --cert-name {name}")
        assert "all simulated renewals succeeded" in said

    acme.sh("systemctl stop certbot.timer")
    found = acme.module("doctor_info")["findings"]
    assert "kept" in str([each["message"] for each in found if each["code"] == "renewal_timer"]), found
    assert acme.converge(apps, **ROLE).changed == ["wsgi.stack.certbot : Enable the renewal timer"]


@on(12)
def test_a_hook_that_cannot_reload_says_so_in_the_journal(acme, hello):
    pebble(acme, "resolve", "127.0.0.1", "hook.test", "post.test")
    acme.converge([site(hello, "hook", "hook.test"), site(hello, "post", "post.test")], **ROLE)
    acme.sh("echo nonsense >/etc/nginx/conf.d/broken.conf")
    try:
        certbot(acme, "renew --force-renewal --cert-name hook --no-random-sleep-on-renew")
    finally:
        acme.sh("rm /etc/nginx/conf.d/broken.conf")
    said = acme.sh("journalctl --no-pager --output cat --identifier wsgi-certbot --priority err")
    assert "nginx was not reloaded for the renewed certificate /etc/letsencrypt/live/hook" in said
    assert "broken.conf" in said

    # What a hook did not load, the next run does: it compares what nginx presents with what is there.
    result = acme.module("certificate", **MODULE, apps=resolved(acme, "hook", "hook.test"))
    assert result["reloaded"]
    assert not result["failures"]
    assert not acme.module("certificate", **MODULE, apps=resolved(acme, "hook", "hook.test"))["changed"]

    # With the app its certificate goes, unless another program's configuration has it.
    acme.sh("echo 'smtpd_tls_cert_file = /etc/letsencrypt/live/post/fullchain.pem' >/etc/mail.cf")
    play = acme.converge([{"name": name, "state": "absent"} for name in ("hook", "post")], **ROLE)
    assert acme.sh("find /etc/letsencrypt -path '*hook*' -not -path '*/renewal-hooks*'") == ""
    assert "certbot's certificate post is kept, since /etc/mail.cf uses it; when" in " ".join(play.output.split())
    assert certbot(acme, f"renew --dry-run --server {FIRST} --no-random-sleep-on-renew --cert-name post")


def resolved(server, name, *domains):
    """The list of one app with a site, as the lookup returns it."""
    server.sh("test -d /etc/ssl/wsgi/$1", name)
    named = {"source": {"package": name}, "entry_point": f"{name}:app", "tls": {"mode": "certbot"}}
    return _resolve.resolve([{**named, "name": name, "domains": list(domains)}])


@pytest.fixture
def lone(acme):
    """A host whose nginx answers challenges for any name, without an app."""
    acme.need("nginx", "certbot", "openssl")
    location = "location /.well-known/acme-challenge/ { root /var/lib/wsgi/acme; }"
    acme.sh(f"printf 'server {{ listen 80; server_name *.lone.test; {location} }}' >/etc/nginx/conf.d/lone.conf")
    acme.sh("systemctl restart nginx")  # after a reload, the old workers would answer for a moment
    yield acme
    acme.sh("rm /etc/nginx/conf.d/lone.conf; systemctl restart nginx")


def lineage(server, name):
    return server.sh("openssl x509 -in /etc/letsencrypt/live/$1/cert.pem -noout -serial -text", name)


@on(13)
def test_another_server_and_another_key(lone):
    pebble(lone, "start", "second")
    pebble(lone, "resolve", "127.0.0.1", "moved.lone.test")
    wanted = {**MODULE, "certificates": [{"name": "moved", "domains": ["moved.lone.test"]}]}
    assert lone.module("certificate", **wanted)["certificates"]["moved"]["action"] == "issue"
    serial = lineage(lone, "moved").splitlines()[0]

    moved = {**wanted, "server": SECOND, "key_type": "rsa"}
    foreseen = lone.module("certificate", "--check", "--diff", **moved)
    assert foreseen["certificates"]["moved"]["action"] == "would issue"
    assert foreseen["certificates"]["moved"]["reason"] == f"it is from {FIRST}; its key is ecdsa"
    assert f"+  from {SECOND}\n+  key rsa\n" in foreseen["shown"]
    assert serial in lineage(lone, "moved"), "check mode got a certificate"

    done = lone.module("certificate", **moved)
    assert done["changed"]
    assert done["certificates"]["moved"]["action"] == "issue"
    assert "Public Key Algorithm: rsaEncryption" in lineage(lone, "moved")
    assert f"server = {SECOND}\n" in renewed(lone, "moved")
    assert not lone.module("certificate", "--check", **moved)["changed"]
    assert not lone.module("certificate", **moved)["changed"]


@on(13)  # Debian 12's Pebble neither says what is revoked, nor has a time of validity to set
def test_a_revoked_certificate_and_one_that_ended_are_replaced(lone):
    pebble(lone, "stop", "second")
    pebble(lone, "start", "second", "3")
    pebble(lone, "resolve", "127.0.0.1", "bad.lone.test", "old.lone.test")
    bad = {**MODULE, "certificates": [{"name": "bad", "domains": ["bad.lone.test"]}]}
    old = {**MODULE, "server": SECOND, "certificates": [{"name": "old", "domains": ["old.lone.test"]}]}
    lone.sh("rm -rf /etc/letsencrypt/accounts/localhost:14001")
    for wanted in (bad, old):
        assert not lone.module("certificate", **wanted)["failures"]
    certbot(lone, f"revoke --non-interactive --cert-name bad --server {FIRST} --no-delete-after-revoke")
    pebble(lone, "stop", "second")
    pebble(lone, "start", "second", MONTH)
    lone.sh("rm -r /etc/letsencrypt/accounts/localhost:14001")  # that server forgets all when it stops

    reasons = [lone.module("certificate", **wanted)["certificates"][name] for name, wanted in (("bad", bad), ("old", old))]
    assert [found["action"] for found in reasons] == ["issue", "issue"]
    assert "as after a revocation" in reasons[0]["reason"]
    assert reasons[1]["reason"].startswith("it expired on ")
    assert [lone.module("certificate", **wanted)["changed"] for wanted in (bad, old)] == [False, False]


@on(12)
def test_what_certbot_was_told_by_hand_is_taken_over(acme, hello):
    acme.need("nginx", "certbot", "python3-certbot-nginx", "openssl")
    pebble(acme, "resolve", "127.0.0.1", "hand.test", "www.hand.test")
    acme.sh("printf 'server { listen 80; server_name hand.test www.hand.test; }' >/etc/nginx/sites-enabled/by-hand")
    acme.sh("systemctl reload-or-restart nginx")
    by_hand = f"--nginx --non-interactive --agree-tos --register-unsafely-without-email --server {FIRST}"
    certbot(acme, f"{by_hand} -d hand.test -d www.hand.test")
    acme.sh("rm /etc/nginx/sites-enabled/by-hand; systemctl reload nginx")
    [found] = re.findall(r"^archive_dir = .*/(.+)$", acme.sh("cat /etc/letsencrypt/renewal/*hand.test.conf"), re.MULTILINE)
    serial, asked = lineage(acme, found).splitlines()[0], orders(acme)

    acme.converge([site(hello, "hand", "hand.test", "www.hand.test")], **ROLE)
    assert orders(acme) == asked, "the CA was asked for what was there"
    assert serial in served(acme, "hand.test")
    assert "authenticator = webroot\n" in renewed(acme, found)
    assert "installer" not in renewed(acme, found)
    assert acme.sh("test ! -e /etc/letsencrypt/live/hand && echo none") == "none\n"
    certbot(acme, f"renew --force-renewal --cert-name {found} --no-random-sleep-on-renew")
    assert serial not in served(acme, "hand.test")
    assert acme.converge([site(hello, "hand", "hand.test", "www.hand.test")], **ROLE).changed == []
    acme.converge([{"name": "hand", "state": "absent"}], **ROLE)
    assert acme.sh("ls /etc/letsencrypt/renewal").split().count(f"{found}.conf") == 1, "what somebody made by hand is gone"


@on(12)
def test_what_is_left_of_a_certificate_makes_way(lone):
    pebble(lone, "resolve", "127.0.0.1", "left.lone.test")
    wanted = {**MODULE, "certificates": [{"name": "left", "domains": ["left.lone.test"]}]}
    assert not lone.module("certificate", **wanted)["failures"]
    lone.sh("rm /etc/letsencrypt/renewal/left.conf")  # as when certbot is killed, which writes it last
    result = lone.module("certificate", **wanted)
    assert result["certificates"]["left"]["lineage"] == "left"
    assert result["certificates"]["left"]["reason"].endswith("renewal/left.conf is missing")
    assert "authenticator = webroot\n" in renewed(lone, "left")
    assert not lone.module("certificate", **wanted)["changed"]


@on(12)
def test_what_the_ca_refuses_is_told_in_its_words(lone):
    pebble(lone, "resolve", "127.0.0.1", "good.lone.test")
    certificates = [{"name": "blocked", "domains": ["blocked.test"]}, {"name": "good", "domains": ["good.lone.test"]}]
    result = lone.module("certificate", **MODULE, certificates=certificates, check_names=False)
    assert list(result["certificates"]) == ["good"]
    [failure] = result["failures"]
    assert failure["app"] == "blocked"
    assert re.search(r"blocked\.test", failure["message"])
    assert failure["message"].startswith("app blocked: certificate: ")
    assert failure["log"]


@on(12)
def test_nobody_agrees_to_terms_for_the_user(lone):
    pebble(lone, "start", "second")
    pebble(lone, "resolve", "127.0.0.1", "terms.lone.test")
    lone.sh("rm -rf /etc/letsencrypt/accounts/localhost:14001")
    certificates = [{"name": "terms", "domains": ["terms.lone.test"]}]
    result = lone.module("certificate", server=SECOND, ca_bundle=BUNDLE, certificates=certificates)
    assert not result["changed"]
    assert "data:text/plain,Do%20what%20thou%20wilt" in result["failures"][0]["message"]
    assert "certbot_agree_tos" in result["failures"][0]["message"]
    assert lone.sh("test ! -e /etc/letsencrypt/accounts/localhost:14001 && echo none") == "none\n"


@on(12)
def test_a_wildcard_is_had_by_way_of_dns(acme, hello):
    record = r"{\"host\": \"_acme-challenge.$CERTBOT_DOMAIN.\", \"value\": \"$CERTBOT_VALIDATION\"}"
    script = f'#!/bin/sh\ncurl --silent --fail --data "{record}" "http://127.0.0.1:8055/$1-txt"\n'
    acme.sh('printf %s "$1" >/srv/pebble/dns; chmod 755 /srv/pebble/dns', script)
    hooks = ["--manual-auth-hook '/srv/pebble/dns set'", "--manual-cleanup-hook '/srv/pebble/dns clear'"]
    wanted = {**ROLE, "certbot_options": ["--manual", "--preferred-challenges dns", *hooks]}
    wild = [site(hello, "wild", "*.wild.test", "wild.test")]
    acme.converge(wild, **wanted)
    first = served(acme, "any.wild.test")
    assert names(first) == ["*.wild.test", "wild.test"]
    assert acme.converge(wild, **wanted).changed == []
    certbot(acme, "renew --force-renewal --cert-name wild --no-random-sleep-on-renew")
    assert names(served(acme, "any.wild.test")) == ["*.wild.test", "wild.test"]
    assert served(acme, "any.wild.test") != first


@on(12)
def test_certbots_own_server_answers_behind_nginx(lone):
    location = "location /.well-known/acme-challenge/ { proxy_pass http://127.0.0.1:5002; }"
    lone.sh(f"printf 'server {{ listen 80; server_name alone.test; {location} }}' >>/etc/nginx/conf.d/lone.conf")
    lone.sh("systemctl restart nginx")
    pebble(lone, "resolve", "127.0.0.1", "alone.test")
    certificates = [{"name": "alone", "domains": ["alone.test"]}]
    wanted = {**MODULE, "certificates": certificates, "options": ["--standalone", "--http-01-port 5002"]}
    assert not lone.module("certificate", **wanted)["failures"]
    assert "authenticator = standalone\n" in renewed(lone, "alone")
    assert not lone.module("certificate", **wanted)["changed"]
