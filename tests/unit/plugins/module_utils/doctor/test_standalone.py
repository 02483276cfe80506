# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _standalone
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._standalone import StandaloneRenewal
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import Certificate

RENEWAL = "[renewalparams]\nauthenticator = {}\n{}"


@pytest.fixture
def letsencrypt(tmp_path, monkeypatch):
    monkeypatch.setattr(_standalone._systemd, "unit_files", lambda unit: "ExecStart=/usr/bin/certbot -q renew")
    (tmp_path / "renewal").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("authenticator", "more", "lineages"),
    [
        ("standalone", "", (("shop.test", 80),)),
        ("standalone", "http01_port = 8888\n", (("shop.test", 8888),)),
        ("standalone", "pre_hook = systemctl stop nginx\n", ()),
        ("webroot", "", ()),
        ("nginx", "", ()),
    ],
)
def test_certificates_that_need_a_port_are_found(letsencrypt, authenticator, more, lineages):
    (letsencrypt / "renewal/shop.test.conf").write_text(RENEWAL.format(authenticator, more))
    assert _standalone.look(str(letsencrypt)).lineages == lineages


@pytest.mark.parametrize(
    ("path", "text"), [("cli.ini", "pre-hook = service nginx stop\n"), ("renewal-hooks/pre/nginx", "#!/bin/sh\n")]
)
def test_a_hook_that_stops_nginx_makes_room(letsencrypt, path, text):
    (letsencrypt / "renewal/shop.test.conf").write_text(RENEWAL.format("standalone", ""))
    hook = letsencrypt / path
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text(text)
    hook.chmod(0o755)
    assert _standalone.look(str(letsencrypt)).lineages == ()


@pytest.mark.parametrize(
    ("lineage", "ports", "count"), [("shop.test", {80}, 1), ("shop.test", {8080}, 0), ("blog.test", {80}, 0), ("", {80}, 0)]
)
def test_only_a_port_that_nginx_has_is_missing(lineage, ports, count):
    path = f"/etc/letsencrypt/live/{lineage}/fullchain.pem" if lineage else "/etc/ssl/shop.pem"
    certificates = [Certificate(path), Certificate(path)]
    found = StandaloneRenewal((("shop.test", 80),), "/usr/bin/certbot", True)
    assert len(_standalone.judge(certificates, found, ports)) == count


@pytest.mark.parametrize(
    ("certbot", "plugin", "begins"),
    [("", False, "Install certbot"), ("/usr/bin/certbot", False, "apt-get install"), ("/usr/bin/certbot", True, "certbot renew")],
)
def test_the_fix_installs_what_is_missing(certbot, plugin, begins):
    found = StandaloneRenewal((("shop.test", 80),), certbot, plugin)
    (finding,) = _standalone.judge([Certificate("/etc/letsencrypt/live/shop.test/fullchain.pem")], found, {80})
    assert finding.fix.startswith(begins)
