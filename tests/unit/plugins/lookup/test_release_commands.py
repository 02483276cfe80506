# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host runs the release commands of an app."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.lookup.release_commands import chosen

APPS = [
    {"name": "shop", "release_commands": ["migrate"]},
    {"name": "blog", "release_commands": ["migrate"]},
    {"name": "wiki", "release_commands": []},
]
HOSTS = ["web1", "web2", "web3"]


@pytest.mark.parametrize(
    ("builds", "expected"),
    [
        ({"web1": ["shop", "blog", "wiki"], "web2": ["shop", "blog"]}, [["shop", "blog"], [], []]),
        ({"web1": ["blog"], "web2": ["shop", "blog"], "web3": ["shop"]}, [["blog"], ["shop"], []]),
        ({"web3": ["shop"]}, [[], [], ["shop"]]),
        ({}, [[], [], []]),
    ],
    ids=["first host", "failed build", "one host", "no build"],
)
def test_the_first_host_with_a_build_runs_them(builds, expected):
    assert [[app["name"] for app in chosen(APPS, host, HOSTS, builds)] for host in HOSTS] == expected
