# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests of plugin_utils._preconditions."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.plugin_utils import _preconditions

ROOT = Path(__file__).resolve().parents[4]
(RESOLVED,) = _resolve.resolve([{"name": "shop", "source": {"package": "shop"}, "entry_point": "shop:app"}])
APPS = [{"name": "wiki", "release_commands": []}, {"name": "shop", "release_commands": ["flask db upgrade"]}]


@pytest.mark.parametrize("version", ["2.16.19", "2.18.0", "2.18.12rc1", "1.9.6"])
def test_an_older_ansible_core_is_refused(version):
    assert f"needs ansible-core 2.19 or later, and this is {version};" in _preconditions.version_problem(version)


@pytest.mark.parametrize("version", ["2.19.0", "2.19.0rc2", "2.22.0.dev0", "3.0.0"])
def test_a_newer_ansible_core_is_not(version):
    assert _preconditions.version_problem(version) == ""


def test_the_oldest_ansible_core_is_the_same_everywhere():
    oldest = ".".join(map(str, _preconditions.OLDEST))
    assert yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["requires_ansible"] == f">={oldest}.0"
    for path in ROOT.glob("roles/*/meta/main.yml"):
        assert yaml.safe_load(path.read_text())["galaxy_info"]["min_ansible_version"] == oldest
    for path in [*ROOT.glob("roles/*/README.md"), ROOT / "README.md"]:
        assert f"ansible-core {oldest} or later" in path.read_text()


@pytest.mark.parametrize("path", sorted(ROOT.glob("playbooks/*.yml")), ids=lambda path: path.stem)
def test_every_playbook_begins_with_the_preconditions(path):
    for play in yaml.safe_load(path.read_text()):
        assert "ansible.builtin.import_playbook" in play or "wsgi.stack.preconditions" in play["tasks"][0]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"apps": [{**RESOLVED}], "app": RESOLVED}, ""),
        ({"name": ["nginx"]}, ""),
        ({"apps": "shop", "app": "shop"}, ""),  # the module's to refuse
        ({"apps": [RESOLVED, {"name": "wiki"}]}, "app wiki: no bind; give the module the apps as lookup('wsgi.stack.apps')"),
        ({"app": {"source": "x"}}, "apps: no bind; give the module the apps as lookup('wsgi.stack.apps')"),
    ],
    ids=["resolved", "no apps", "texts", "list", "one"],
)
def test_apps_with_keys_missing_are_refused(arguments, problem):
    found = _preconditions.apps_problem(arguments)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


@pytest.mark.parametrize("strategy", ["free", "ansible.builtin.free", "host_pinned", "mitogen_free"])
def test_a_strategy_that_does_not_wait_is_refused_with_release_commands_on_several_hosts(strategy):
    problem = _preconditions.strategy_problem(strategy, ["web1", "web2"], APPS)
    assert problem.startswith("app shop: release_commands: they run once")
    assert f"strategy: {strategy} " in problem


@pytest.mark.parametrize(
    ("strategy", "hosts", "apps"),
    [("linear", 2, APPS), ("ansible.builtin.debug", 2, APPS), ("free", 1, APPS), ("free", 2, APPS[:1])],
)
def test_a_strategy_does_no_harm_otherwise(strategy, hosts, apps):
    assert _preconditions.strategy_problem(strategy, ["web"] * hosts, apps) == ""
