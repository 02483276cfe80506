# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site presents: made, checked, replaced and removed, on a disk."""

from __future__ import annotations

import os
import ssl
import stat
import subprocess

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.tls import _presented, _sites
from ansible_collections.wsgi.stack.plugins.module_utils.tls._certificate import DAY, Certificate
from ansible_collections.wsgi.stack.plugins.module_utils.tls._presented import (
    Presented,
    clean,
    present,
    publish,
    published,
    stays,
)
from ansible_collections.wsgi.stack.tests.certificates import pair

NOW = 1800000000.0


def site(mode="self_signed", domains=("a.test",), **rest):
    return {"name": "shop", "mode": mode, "domains": list(domains), "apps": ["shop"], "on_host": False, "port": 443, **rest}


def given(*names, days=30):
    """A certificate as somebody gives one, and its key."""
    return vars(pair(names or ["a.test"], days))


def files(**rest):
    return site("files", certificate="/controller/a.pem", key="/controller/a.key", **rest)


def names(root):
    """What OpenSSL reads where nginx would."""
    chain = os.path.join(_sites.live("shop", root), _sites.CHAIN)
    shown = subprocess.run(
        ["openssl", "x509", "-in", chain, "-noout", "-ext", "subjectAltName"], check=True, capture_output=True, text=True
    ).stdout
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, os.path.join(_sites.live("shop", root), _sites.KEY))
    return [word.removeprefix("DNS:").rstrip(",") for word in shown.split() if word.startswith("DNS:")]


@pytest.fixture
def root(tmp_path):
    return str(tmp_path / "tls")


def certificate(days=200, names=("a.test",), **rest):
    return Certificate("/x", "/y", tuple(names), NOW - DAY, NOW + days * DAY + 1, **rest)


OURS, CERTBOTS, GIVEN = "/root/shop/self-signed-1", "/etc/letsencrypt/live/shop", "/root/shop/given-1"


@pytest.mark.parametrize(
    ("mode", "directory", "found", "name", "expected"),
    [
        pytest.param("self_signed", "", None, "", False, id="nothing"),
        pytest.param("self_signed", OURS, certificate(), "", True, id="signed"),
        pytest.param("self_signed", OURS, certificate(days=89), "", False, id="ends soon"),
        pytest.param("self_signed", OURS, certificate(names=["b.test"]), "", False, id="for another name"),
        pytest.param("self_signed", OURS, certificate(cause="cannot be read"), "", False, id="unreadable"),
        pytest.param("self_signed", OURS, certificate(wrong_key=True), "", False, id="another's key"),
        pytest.param("self_signed", CERTBOTS, certificate(), "", False, id="certbot's of before"),
        pytest.param("certbot", OURS, certificate(), "", True, id="a placeholder"),
        pytest.param("certbot", OURS, certificate(names=["b.test"]), "", False, id="a placeholder for another name"),
        pytest.param("certbot", CERTBOTS, certificate(days=-1), "", True, id="certbot's, for certbot to renew"),
        pytest.param("certbot", CERTBOTS, certificate(cause="cannot be read"), "", False, id="certbot's is gone"),
        pytest.param("certbot", GIVEN, certificate(), "", True, id="given before, until certbot has one"),
        pytest.param("files", GIVEN, certificate(), "given-1", True, id="given"),
        pytest.param("files", GIVEN, certificate(), "given-2", False, id="replaced"),
        pytest.param("files", GIVEN, certificate(days=-1), "given-1", False, id="ended since"),
    ],
)
def test_whether_it_stays(mode, directory, found, name, expected):
    wanted = site(mode, certificate="/a.pem", key="/a.key")
    assert stays(wanted, Presented(directory, found), name, ["a.test"], NOW) is expected


def test_a_site_signs_itself_once(root):
    before, after = present(site(domains=["a.test", "*.b.test"]), root=root)
    assert (before, ": a.test, *.b.test, until 20" in after) == ("", True)
    assert names(root) == ["a.test", "*.b.test"]
    assert stat.S_IMODE(os.stat(os.path.join(_sites.live("shop", root), _sites.KEY)).st_mode) == 0o600
    assert present(site(domains=["a.test", "*.b.test"]), root=root) == (after, after)
    present(site(domains=["c.test"]), root=root)
    assert names(root) == ["c.test"]


def test_a_site_of_every_name_signs_itself_for_the_hosts(root):
    present(site(domains=[]), root=root)
    assert names(root)[0] == "localhost"


def test_check_mode_touches_nothing(root):
    assert present(site(), dry=True, root=root) == ("", "self-signed: a.test")
    assert not os.path.exists(root)


def test_given_ones_are_replaced_by_one_rename(root, tmp_path):
    present(files(), given(), root=root)
    first = published("shop", root)
    assert names(root) == ["a.test"]
    present(files(), given("a.test", "b.test"), root=root)
    assert published("shop", root) != first
    assert names(root) == ["a.test", "b.test"]
    assert clean([files()], root=root) == [first]
    assert sorted(os.listdir(_sites.directory("shop", root))) == sorted(["live", os.path.basename(published("shop", root))])


def test_files_of_the_host_are_linked(root, tmp_path):
    linked = site("files", **pair(["a.test"]).write(tmp_path), on_host=True)
    present(linked, root=root)
    assert names(root) == ["a.test"]
    pair(["a.test", "b.test"]).write(tmp_path)  # renewed by whoever renews it there
    present(linked, root=root)
    assert names(root) == ["a.test", "b.test"]
    assert published("shop", root).startswith(f"{root}/shop/linked-")


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({**given(), "key": given()["key"]}, "the key /controller/a.key belongs to another certificate than /controller/a.pem"),
        (given("b.test"), "/controller/a.pem is valid for b.test, but not for a.test"),
        (given(days=-1), "/controller/a.pem expired on 20"),
        ({**given(), "chain": "nonsense"}, "cannot be read"),
        ({**given(), "key": "nonsense"}, "OpenSSL cannot load"),
        (vars(pair(["a.test"], passphrase="secret")), "OpenSSL cannot load"),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_what_does_not_do_is_refused_and_something_is_presented(root, wrong, expected, before):
    if before:
        present(files(), given(), root=root)
    earlier = published("shop", root)
    with pytest.raises(StackError) as failure:
        present(files(), wrong, root=root)
    assert failure.value.step == "tls"
    assert expected in failure.value.cause
    assert names(root) == ["a.test"]
    assert published("shop", root).startswith(earlier or f"{root}/shop/self-signed-")
    assert not os.path.exists(f"{root}/shop/.new")


def test_a_directory_of_certbots_is_published(root, tmp_path):
    present(site("certbot"), root=root)
    lineage = tmp_path / "letsencrypt"
    lineage.mkdir()
    content = given()
    (lineage / "fullchain.pem").write_text(content["chain"])
    (lineage / "privkey.pem").write_text(content["key"])
    assert publish("shop", str(lineage), root) is True
    assert publish("shop", str(lineage), root) is False
    assert published("shop", root) == str(lineage)
    present(site("certbot"), root=root)
    assert published("shop", root) == str(lineage)
    with pytest.raises(StackError, match="OpenSSL cannot load"):
        publish("shop", str(tmp_path / "nothing"), root)
    assert published("shop", root) == str(lineage)


@pytest.mark.parametrize(
    ("mode", "domains", "days", "taken"),
    [
        ("certbot", ["a.test"], 30, True),
        ("certbot", ["a.test", "b.test"], 30, False),
        ("certbot", ["a.test"], -1, False),
        ("self_signed", ["a.test"], 30, False),
    ],
)
def test_a_site_that_is_called_by_another_app_now_has_the_same_certificate(root, tmp_path, mode, domains, days, taken):
    lineage = tmp_path / "letsencrypt"
    lineage.mkdir()
    content = given("a.test", "www.a.test", days=days)
    (lineage / "fullchain.pem").write_text(content["chain"])
    (lineage / "privkey.pem").write_text(content["key"])
    publish("formerly", str(lineage), root)
    present(site(mode, domains), root=root)
    assert (published("shop", root) == str(lineage)) == taken
    assert taken or names(root) == domains


def test_a_site_that_nginx_does_not_name_is_removed(root, tmp_path, monkeypatch):
    enabled = tmp_path / "enabled"
    enabled.mkdir()
    monkeypatch.setattr(_presented, "SITES", str(enabled))
    present(site(), root=root)
    (enabled / "shop.conf").write_text(f"ssl_certificate {root}/shop/live/fullchain.pem;")
    assert clean([], root=root) == []
    (enabled / "shop.conf").write_text("")
    assert clean([], dry=True, root=root) == [f"{root}/shop"]
    assert clean([], root=root) == [f"{root}/shop"]
    assert os.listdir(root) == []
