# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host runs what runs on one host only."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.plugin_utils import _fleet

APPS = {"web1": {"shop"}, "web2": {"shop", "blog"}, "web3": {"shop", "blog", "wiki"}}


@pytest.mark.parametrize(("host", "elsewhere"), [("web1", set()), ("web2", {"shop"}), ("web3", {"shop", "blog"})])
def test_an_app_is_left_to_the_first_host_that_has_it(host, elsewhere):
    assert _fleet.with_earlier_host({"shop", "blog", "wiki"}, list(APPS), host, APPS.__getitem__) == elsewhere


def test_no_more_hosts_are_asked_than_needed():
    asked = []

    def apps(host):
        asked.append(host)
        return APPS[host]

    _fleet.with_earlier_host({"shop"}, list(APPS), "web3", apps)
    assert asked == ["web1"]
