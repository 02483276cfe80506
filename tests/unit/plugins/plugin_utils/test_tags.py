# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests of plugin_utils._tags."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.wsgi.stack.plugins.plugin_utils import _tags

OWN = [*_tags.NEEDS, "always"]
IDLE = ["app", "uwsgi", "nginx"]


@pytest.mark.parametrize(
    ("run", "skip", "chosen"),
    [
        (["all"], [], {*_tags.NEEDS}),
        (["all"], ["verify"], {*_tags.NEEDS} - {"verify"}),
        (["nginx", "verify"], [], {"nginx", "verify"}),
        (["nginx"], ["nginx"], set()),
        (["other"], [], set()),
        (["web"], ["retire"], {*_tags.NEEDS} - {"retire"}),
    ],
)
def test_tags_choose_steps(run, skip, chosen):
    assert _tags.selected(run, skip, [*OWN, "web"]) == chosen


def test_a_command_without_tags_runs_everything():
    assert _tags.of_run({}) == (["all"], [])
    assert _tags.of_run({"ansible_run_tags": ["nginx"], "ansible_skip_tags": ["verify"]}) == (["nginx"], ["verify"])


@pytest.mark.parametrize("run", [["ngnix"], ["nginx", "ngnix"]])
def test_a_tag_of_no_task_is_refused(run):
    assert "ngnix: no task has this tag; use one of app, " in _tags.unknown(run, OWN)


def test_other_tags_are_not_refused():
    assert _tags.unknown(["all"], OWN) == _tags.unknown(["nginx", "web"], [*OWN, "web"]) == ""


@pytest.mark.parametrize(
    ("chosen", "idle", "wanted"),
    [
        (["rollout"], ["uwsgi"], "app,rollout"),
        (["nginx"], ["app", "nginx"], "rollout,nginx"),
        (["retire"], ["uwsgi"], "app,nginx,retire"),
        (["certbot", "app"], [], "app,rollout,nginx,certbot"),
    ],
)
def test_what_has_to_be_done_first_may_not_be_left_out(chosen, idle, wanted):
    assert _tags.left_out(chosen, idle, ["uwsgi"]).endswith(f"; use --tags {wanted}, or no tags.")


@pytest.mark.parametrize(
    ("chosen", "idle"),
    [(["nginx"], IDLE), (["retire"], ["nginx"]), (["verify"], []), (["app"], []), ([*_tags.NEEDS], [])],
)
def test_what_has_nothing_to_do_may_be_left_out(chosen, idle):
    assert _tags.left_out(chosen, idle, ["uwsgi"]) == ""


def test_every_task_of_the_playbook_has_one_tag():
    """Of a task with two, to skip one would skip the steps of the other."""
    playbooks = Path(__file__).resolve().parents[4] / "playbooks"
    (play,) = yaml.safe_load((playbooks / "site.yml").read_text())
    assert {task["tags"] for task in play["tasks"]} == {"always"}
    included = [task for path in sorted(playbooks.glob("tasks/*.yml")) for task in yaml.safe_load(path.read_text())]
    assert included
    for task in included:
        if task["tags"] != "always":
            assert [tag for tag in task["tags"] if tag in _tags.NEEDS] == task["tags"], task["name"]
            assert len(task["tags"]) == 1, task["name"]
        if "ansible.builtin.include_role" in task:
            assert task["ansible.builtin.include_role"]["apply"]["tags"] == task["tags"]
