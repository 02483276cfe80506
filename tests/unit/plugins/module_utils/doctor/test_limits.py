# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _limits
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._limits import NginxLimits, Usage


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("events { worker_connections 768; }", NginxLimits(768, True, False)),
        ("worker_rlimit_nofile 9000;\nevents { }", NginxLimits(512, False, True)),
        ("# worker_connections 9;\nevents { worker_connections 8192; multi_accept on; }", NginxLimits(8192, True, False)),
        ("", NginxLimits()),
    ],
)
def test_nginxs_limits_are_read(text, limits):
    assert _limits.nginx_limits(text) == limits


@pytest.mark.parametrize(
    ("limits", "workers", "fix"),
    [
        (NginxLimits(768, True), Usage(20, 1024), None),
        (NginxLimits(8192, True), None, None),
        (NginxLimits(8192, True), Usage(20, 0), None),
        (NginxLimits(8192, True), Usage(20, 1024), "b=$(mktemp"),
        (
            NginxLimits(8192, True, files=True),
            Usage(20, 2048),
            "b=$(mktemp",
        ),
        (NginxLimits(768, True), Usage(700, 1024), "Raise worker_connections"),
        (NginxLimits(8192, True), Usage(20, 1024, 16384), "b=$(mktemp"),
        (NginxLimits(8192, True), Usage(20, 1024, 4096), "Lower worker_connections in /etc/nginx/nginx.conf to 2048"),
    ],
)
def test_nginx_that_may_not_have_enough_connections_is_found(limits, workers, fix):
    found = _limits.judge_nginx(limits, workers)
    assert [finding.code for finding in found] == ["connection_limit"] * bool(fix)
    assert fix is None or found[0].fix.startswith(fix)


@pytest.mark.parametrize(("app", "count"), [(None, 0), (Usage(900, 1024), 1), (Usage(100, 1024), 0), (Usage(900, 0), 0)])
def test_an_app_with_many_open_files_is_found(app, count):
    assert len(_limits.judge_app("shop.service", app)) == count


@pytest.mark.parametrize(("count", "most", "found"), [(0, 0, 0), (100, 1000, 0), (900, 1000, 1)])
def test_a_packet_filter_without_room_is_found(count, most, found):
    assert len(_limits.judge_conntrack(count, most)) == found


def test_the_limits_of_open_files_are_read():
    limits = "Max processes  7 7 processes\nMax open files            1024                 524288               files \n"
    assert _limits.open_files(limits) == (1024, 524288)
    assert _limits.open_files("Max open files  unlimited unlimited files") == (0, 0)
