# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lookup makes of the inventory of several hosts."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.wsgi.stack.plugins.plugin_utils import _lookup

SHOP = {"name": "shop", "source": {"package": "shop"}, "entry_point": "shop:app"}
BEAT = {"beat": {"command": "celery beat", "single": True}}


def first(host, group="wsgi", apps=None, **variables):
    """Whether a host is the first one for the app shop, in a run that is limited to it."""
    apps = {"web1": [], "web2": [{**SHOP, "state": "absent"}], "web3": [SHOP], "web4": [SHOP], **(apps or {})}
    known = {
        "inventory_hostname": host,
        "ansible_play_hosts_all": [host],
        "groups": {"all": list(apps), group: list(apps)},
        "hostvars": {name: {"wsgi_apps": each} for name, each in apps.items()},
        **variables,
    }
    lookup = _lookup.InventoryLookup(DataLoader(), Templar(loader=DataLoader(), variables=known))
    lookup.variables = known
    (app,) = lookup.resolve([{**SHOP, "workers": BEAT}])
    return app["first_host"]


@pytest.mark.parametrize(("host", "is_first"), [("web3", True), ("web4", False)])
def test_the_first_host_that_has_an_app_is_the_same_in_a_limited_run(host, is_first):
    assert first(host) == is_first


def test_the_hosts_are_those_that_wsgi_hosts_names():
    assert first("web4", wsgi_hosts="web4:web2")


def test_in_somebodys_own_play_it_is_the_first_of_the_play():
    assert first("web4", group="web")
    assert not first("web4", group="web", ansible_play_hosts_all=["web3", "web4"])


@pytest.mark.parametrize(("host", "is_first"), [("web1", True), ("web2", False)])
def test_a_list_of_the_play_is_that_of_all_its_hosts(host, is_first):
    hosts = ["web1", "web2"]
    known = {"hostvars": {name: {} for name in hosts}, "wsgi_apps": [SHOP], "ansible_play_hosts_all": hosts}
    assert first(host, apps={}, groups={"all": hosts, "wsgi": hosts}, **known) == is_first
