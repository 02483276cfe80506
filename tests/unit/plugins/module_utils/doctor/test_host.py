# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _host
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._host import FileSystem, Nginx
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._configuration import Configuration, Listen, ServerBlock, Upstream

PASSED = Completed(("nginx", "-T"), 0, "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n")
FAILED = Completed(
    ("nginx", "-T"),
    1,
    '2026/01/02 03:04:05 [emerg] 12#12: unknown directive "foo" in /etc/nginx/sites-enabled/shop:7\n'
    "nginx: configuration file /etc/nginx/nginx.conf test failed\n",
)
ENABLED = {"ActiveState": "inactive", "SubState": "dead", "UnitFileState": "enabled"}
GIB = 1 << 30


def codes(findings):
    return [(finding.severity, finding.code) for finding in findings]


@pytest.mark.parametrize(
    ("disk", "expected"),
    [
        (FileSystem("/", 50.0, 9 * GIB, 10.0), []),
        (FileSystem("/", 99.9, 20 * GIB, 10.0), []),  # a large one
        (FileSystem("/", 96.0, GIB // 2, 0.0), [("warning", "disk_nearly_full")]),
        (FileSystem("/", 100.0, 0, 0.0), [("broken", "disk_full")]),
        (FileSystem("/", 50.0, 9 * GIB, 100.0), [("broken", "disk_full")]),
    ],
)
def test_a_file_system_is_judged(disk, expected):
    assert codes(_host.judge_file_systems([disk])) == expected


def test_file_systems_are_looked_at_once_each(tmp_path):
    found = _host.file_systems([str(tmp_path), str(tmp_path), "/nowhere"])
    assert [disk.path for disk in found] == [str(tmp_path)]
    assert 0 <= found[0].used <= 100


@pytest.mark.parametrize(
    ("name", "answer", "own", "expected"),
    [
        ("shop.com", ["93.184.216.34"], {"93.184.216.34"}, []),
        ("shop.com", ["93.184.216.34"], {"10.0.0.5"}, []),  # behind a router
        ("shop.com", ["93.184.216.34"], {"8.8.8.8"}, [("note", "dns_elsewhere")]),
        ("shop.com", "does not exist", {"8.8.8.8"}, [("note", "dns_missing")]),
        ("shop.com", "", {"8.8.8.8"}, []),  # no network
        ("shop.test", "does not exist", {"8.8.8.8"}, []),
        ("shop.example.com", "does not exist", {"8.8.8.8"}, []),
        ("localhost", ["127.0.0.1"], {"8.8.8.8"}, []),
        ("*.shop.com", "does not exist", {"8.8.8.8"}, []),
    ],
)
def test_where_a_name_leads_is_no_more_than_a_note(name, answer, own, expected):
    assert codes(_host.judge_dns(name, answer, own)) == expected


def test_names_are_resolved():
    assert "127.0.0.1" in _host.resolve(["localhost"])["localhost"]


@pytest.mark.parametrize(
    ("nginx", "expected"),
    [
        (Nginx(), [("note", "nginx_missing")]),
        (Nginx(True, pid=7, test=PASSED, unit=ENABLED), []),
        (Nginx(True, test=PASSED, unit=ENABLED), [("broken", "nginx_stopped")]),
        (Nginx(True, test=PASSED, unit={"UnitFileState": "disabled"}), [("note", "nginx_stopped")]),
        (Nginx(True, pid=7, test=FAILED, unit=ENABLED), [("warning", "nginx_configuration")]),
        (Nginx(True, test=FAILED, unit=ENABLED), [("broken", "nginx_configuration")]),
    ],
)
def test_nginx_is_judged(nginx, expected):
    assert codes(_host.judge_nginx(nginx, Configuration(), root=True)) == expected


def test_a_failed_test_is_told_with_its_place():
    (found,) = _host.judge_nginx(Nginx(True, pid=7, test=FAILED), Configuration(), root=True)
    assert 'unknown directive "foo" in /etc/nginx/sites-enabled/shop:7' in found.message
    assert found.fix == "Correct line 7 of /etc/nginx/sites-enabled/shop, then run: nginx -t && systemctl reload nginx."


def test_a_test_that_was_not_made_by_root_says_nothing():
    assert _host.judge_nginx(Nginx(True, pid=7, test=FAILED), Configuration(), root=False) == []


def test_a_configuration_that_was_not_loaded_is_noticed(tmp_path):
    (tmp_path / "shop").write_text("")
    os.utime(tmp_path / "shop", (1000, 1000))
    configuration = Configuration(files=(str(tmp_path / "shop"),))
    nginx = {
        "before": Nginx(True, pid=7, started=900.0, test=PASSED),
        "after": Nginx(True, pid=7, started=1100.0, test=PASSED),
        "failed": Nginx(True, pid=7, started=900.0, test=FAILED),
    }
    found = {when: codes(_host.judge_nginx(each, configuration, root=True)) for when, each in nginx.items()}
    assert found == {
        "before": [("warning", "nginx_not_reloaded")],
        "after": [],
        "failed": [("warning", "nginx_configuration")],
    }


def test_nginxs_own_queues_are_judged():
    server = ServerBlock(("a",), (Listen("*:80", backlog=9000), Listen("*:81", backlog=128)))
    assert codes(_host.judge_backlogs(Configuration((server,)), 4096)) == [("warning", "backlog_over_somaxconn")]


DEFAULT = ServerBlock(
    ("_",), (Listen("*:80", default=True), Listen("[::]:80", default=True)), file="/etc/nginx/sites-enabled/default"
)


def site(*names, address="*:80", default=False):
    return ServerBlock(
        names, (Listen(address, default=default),), upstreams=(Upstream("unix:/a", "http", "f", 1),), file="shop", line=2
    )


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ([DEFAULT, site("shop.test")], []),
        ([site("a.test"), site("b.test")], []),
        ([site("a.test"), site("a.test", address="*:443")], []),
        ([site("a.test", "a.test")], []),
        ([site("a.test"), site("b.test", "A.test", address="0.0.0.0:80")], ["server_name_twice"]),
        ([DEFAULT, site("_")], ["default_site_in_the_way"]),
        ([DEFAULT, site()], ["default_site_in_the_way"]),
        ([DEFAULT, site(address="*:8080")], []),
        ([site("_", default=True)], []),
    ],
)
def test_servers_that_get_in_each_others_way_are_noticed(servers, expected):
    assert [finding.code for _server, finding in _host.clashes(servers)] == expected
