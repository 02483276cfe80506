# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _lineage
from ansible_collections.wsgi.stack.plugins.module_utils.certbot._lineage import Lineage

# What certbot 4.0 wrote.
BY_WEBROOT = """\
# renew_before_expiry = 30 days
version = 4.0.0
archive_dir = /etc/letsencrypt/archive/x1
cert = /etc/letsencrypt/live/x1/cert.pem
privkey = /etc/letsencrypt/live/x1/privkey.pem
chain = /etc/letsencrypt/live/x1/chain.pem
fullchain = /etc/letsencrypt/live/x1/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = dacc28e5eeca3fdfb0b716d234c4f1a1
server = https://localhost:14000/dir
authenticator = webroot
webroot_path = /var/lib/wsgi/acme,
renew_hook = systemctl reload nginx
key_type = rsa
[[webroot_map]]
b.test = /var/lib/wsgi/acme
"""
HEAD = "version = 4.0.0\narchive_dir = /etc/letsencrypt/archive/c.test\n\n# Options used in the renewal process\n"
BY_NGINX = f"{HEAD}[renewalparams]\naccount = dacc28e5\nserver = https://localhost:14000/dir\n"
BY_NGINX += "authenticator = nginx\ninstaller = nginx\nkey_type = ecdsa\n"
STANDALONE = f"{HEAD}[renewalparams]\nauthenticator = standalone\npre_hook = systemctl stop nginx\n"
STANDALONE += "post_hook = systemctl start nginx\nrenew_hook = /usr/local/bin/tell\n"

# What OpenSSL 3.0 and 3.5 showed.
OPENSSL_3_0 = """\
Certificate:
    Data:
        Version: 3 (0x2)
        Serial Number: 1081365974747424803 (0xf01c89fed03a823)
        Issuer: CN = Pebble Intermediate CA 35fcee
        Subject: CN = b.test
        Subject Public Key Info:
            Public Key Algorithm: rsaEncryption
                Public-Key: (2048 bit)
serial=0F01C89FED03A823
notBefore=Nov 20 19:33:47 2026 GMT
notAfter=Dec 10 19:33:46 2026 GMT
subject=CN = b.test
issuer=CN = Pebble Intermediate CA 35fcee
X509v3 Authority Key Identifier:
    DE:95:43:23:AB:C4:B3:D5:E1:21:C9:73:19:F4:99:02:60:CD:A9:15
X509v3 Subject Alternative Name:
    DNS:b.test, DNS:a.test
"""
OPENSSL_3_5 = """\
Certificate:
    Data:
        Subject Public Key Info:
            Public Key Algorithm: id-ecPublicKey
                Public-Key: (256 bit)
serial=7C6690AEA9187589
notBefore=Nov 20 19:33:48 2026 GMT
notAfter=Dec 10 19:33:47 2026 GMT
subject=
issuer=CN=Pebble Intermediate CA 74b643
X509v3 Authority Key Identifier:
    D7:9F:13:0E:04:5A:C9:5B:19:FC:C6:57:AA:BF:24:09:48:57:40:72
X509v3 Subject Alternative Name: critical
    DNS:b.test, DNS:a.test
"""
OPENSSL_1_1 = OPENSSL_3_0.replace("    DE:95", "    keyid:DE:95")


@pytest.mark.parametrize(
    ("shown", "key_type", "serial", "authority"),
    [
        (OPENSSL_3_0, "rsa", "0F01C89FED03A823", "DE954323ABC4B3D5E121C97319F4990260CDA915"),
        (OPENSSL_1_1, "rsa", "0F01C89FED03A823", "DE954323ABC4B3D5E121C97319F4990260CDA915"),
        (OPENSSL_3_5, "ecdsa", "7C6690AEA9187589", "D79F130E045AC95B19FCC657AABF240948574072"),
    ],
)
def test_a_certificate_is_read(shown, key_type, serial, authority):
    found = _lineage.parse(Lineage("x1"), shown)
    assert found.names == {"a.test", "b.test"}
    assert (found.key_type, found.serial, found.authority) == (key_type, serial, authority)
    assert 19 * 86400 < found.ends - found.begins <= 20 * 86400


def test_a_configuration_is_read():
    found = _lineage.configured(Lineage("x1"), _lineage.options(BY_WEBROOT))
    assert found.server == "https://localhost:14000/dir"
    assert (found.authenticator, found.installer) == ("webroot", "")
    assert found.webroots == {"/var/lib/wsgi/acme"}
    assert found.hook == "systemctl reload nginx"


def test_webroots_of_single_names_are_seen():
    text = BY_WEBROOT.replace("b.test = /var/lib/wsgi/acme", 'b.test = "/srv/b/"')
    assert _lineage.configured(Lineage("x1"), _lineage.options(text)).webroots == {"/var/lib/wsgi/acme", "/srv/b"}


def test_what_configobj_writes_for_nothing_is_nothing():
    found = _lineage.configured(Lineage("x"), _lineage.options("[renewalparams]\ninstaller = None\nrenew_hook = None\n"))
    assert (found.installer, found.hook) == ("", "")


@pytest.mark.parametrize("text", [BY_WEBROOT, BY_NGINX, STANDALONE])
def test_a_renewal_is_moved_to_the_webroot(text):
    moved = _lineage.by_webroot(text, "/srv/acme")
    before, after = _lineage.options(text), _lineage.options(moved)
    found = _lineage.configured(Lineage("x"), after)
    assert (found.authenticator, found.installer, found.webroots) == ("webroot", "", {"/srv/acme"})
    assert moved.count("[renewalparams]") == 1
    assert "webroot_map" not in moved
    for option in ("version", "account", "server", "key_type", "renew_hook"):
        assert after.get(option) == before.get(option), option
    assert _lineage.by_webroot(moved, "/srv/acme") == moved


def test_hooks_that_stop_nginx_go_with_the_server_that_needed_them():
    moved = _lineage.by_webroot(STANDALONE, "/srv/acme")
    assert "systemctl stop nginx" not in moved
    assert "renew_hook = /usr/local/bin/tell\n" in moved
    kept = STANDALONE.replace("standalone", "manual")
    assert "pre_hook = systemctl stop nginx\n" in _lineage.by_webroot(kept, "/srv/acme")


def test_a_renewal_lets_go_of_nginx():
    assert _lineage.without_installer(BY_NGINX) == BY_NGINX.replace("installer = nginx\n", "")


def test_what_is_left_of_a_lineage_is_seen_and_put_aside(tmp_path):
    for below in ("live", "archive"):
        (tmp_path / below / "shop").mkdir(parents=True)
    (tmp_path / "live/README").write_text("certbot's")
    found = _lineage.read(str(tmp_path))
    assert list(found) == ["shop"]
    assert found["shop"].cause == f"{tmp_path}/renewal/shop.conf is missing"

    moved = _lineage.put_aside("shop", str(tmp_path))
    assert sorted(moved) == [f"{tmp_path}/archive/shop", f"{tmp_path}/live/shop"]
    assert _lineage.read(str(tmp_path)) == {}
    (tmp_path / "live/shop").mkdir()
    assert _lineage.put_aside("shop", str(tmp_path)) == {f"{tmp_path}/live/shop": f"{tmp_path}/live/shop.unusable-2"}


def test_a_certificate_that_is_not_there_is_trouble(tmp_path):
    (tmp_path / "renewal").mkdir()
    (tmp_path / "renewal/x1.conf").write_text(BY_WEBROOT)
    [found] = _lineage.read(str(tmp_path)).values()
    assert found.server == "https://localhost:14000/dir"
    assert found.cause.startswith(f"{tmp_path}/live/x1/cert.pem cannot be read")


@pytest.mark.parametrize(("text", "wanted"), [(BY_WEBROOT, True), (BY_NGINX, False), (STANDALONE, False), (None, False)])
def test_what_was_ordered_here_is_known_by_where_its_challenges_lie(tmp_path, text, wanted):
    (tmp_path / "renewal").mkdir()
    if text is not None:
        (tmp_path / "renewal/shop.conf").write_text(text)
    assert _lineage.ordered("shop", "/var/lib/wsgi/acme", str(tmp_path)) == wanted
    assert not _lineage.ordered("shop", "/var/www/html", str(tmp_path))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("authenticator = webroot", False),
        ("authenticator = nginx\ninstaller = nginx", True),
        ("authenticator = webroot\nrenew_hook = systemctl reload nginx", True),
        ("renew_hook = None", False),
        ("[[webroot_map]]\nshop.example.com = /var/www", False),
    ],
)
def test_what_certbot_runs_after_a_renewal_is_found(lines, expected):
    assert _lineage.reloads(f"version = 2.1.0\n[renewalparams]\naccount = a\n{lines}\n") == expected
