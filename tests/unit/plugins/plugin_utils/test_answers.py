# SPDX-License-Identifier: GPL-3.0-or-later
"""What a survey found, for as long as it holds."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.plugin_utils import _answers, _notes

BUILD, RELEASE, ROLLOUT, TREE = (f"wsgi.stack.{name}" for name in ("build", "release", "rollout", "config_tree"))


NOTHING = _answers.Needed([], [], True)


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    monkeypatch.setattr(_notes.constants, "DEFAULT_LOCAL_TMP", str(tmp_path))


def asked(role, module, result, **arguments):
    return {"role": role, "module": module, "arguments": arguments, "result": result}


@pytest.fixture
def surveyed():
    answers = [
        asked("app", BUILD, {"builds": {"shop": "abc"}}, apps=["shop"]),
        asked("uwsgi", ROLLOUT, {"staged": []}, releases={"shop": 1}),
        asked("nginx", TREE, {"changed": False}, name="nginx"),
        asked("certbot", "", None),
    ]
    _answers.keep("web1", answers, ["app", "uwsgi", "nginx", "certbot", "empty"], NOTHING)


def test_without_a_survey_nothing_is_known():
    assert _answers.answer("web1", BUILD, {"apps": ["shop"]}) is None
    assert _answers.idle("web1") == []


@pytest.mark.usefixtures("surveyed")
def test_the_same_module_with_the_same_arguments_has_an_answer():
    assert _answers.answer("web1", BUILD, {"apps": ["shop"]}) == {"builds": {"shop": "abc"}}
    assert _answers.answer("web1", BUILD, {"apps": ["blog"]}) is None
    assert _answers.answer("web1", RELEASE, {"apps": ["shop"]}) is None
    assert _answers.answer("web2", BUILD, {"apps": ["shop"]}) is None


@pytest.mark.usefixtures("surveyed")
def test_a_role_is_idle_if_every_task_of_it_has_an_answer():
    assert _answers.idle("web1") == ["app", "uwsgi", "nginx", "empty"]


@pytest.mark.usefixtures("surveyed")
def test_a_change_ends_what_was_said_of_the_steps_that_depend_on_it():
    _answers.changed("web1", RELEASE)
    assert _answers.idle("web1") == ["app", "nginx", "empty"]
    assert _answers.answer("web1", ROLLOUT, {"releases": {"shop": 1}}) is None
    assert _answers.answer("web1", TREE, {"name": "nginx"})


@pytest.mark.usefixtures("surveyed")
def test_another_survey_begins_anew():
    _answers.changed("web1", RELEASE)
    _answers.keep("web1", [asked("uwsgi", ROLLOUT, {"staged": []})], ["uwsgi"], NOTHING)
    assert _answers.idle("web1") == ["uwsgi"]


APPS = [{"name": "shop"}, {"name": "blog"}, {"name": "wiki"}]
RELEASES = {"shop": 1, "blog": 2, "wiki": 3}


@pytest.fixture
def settled():
    """A rollout that has something to do for ``blog`` alone."""
    arguments = {"apps": [APPS[0], APPS[2]], "releases": {"shop": 1, "wiki": 3}}
    answer = {"apps": ["shop", "wiki"], "result": {"steps": {}, "staged": ["wiki"]}, "arguments": arguments}
    _answers.keep("web1", [{**asked("uwsgi", ROLLOUT, None), "settled": answer}], ["uwsgi"], NOTHING)

    def found(releases):
        return _answers.settled("web1", ROLLOUT, {"apps": APPS, "releases": releases})

    return found


def test_apps_are_settled_whatever_the_arguments_say_of_others(settled):
    assert settled(RELEASES) == settled({**RELEASES, "blog": 9}) == ({"shop", "wiki"}, {"steps": {}, "staged": ["wiki"]})
    assert settled({**RELEASES, "shop": 9}) is None
    assert settled({"shop": 1, "blog": 2}) is None


def test_an_app_is_settled_until_something_changes_of_it(settled):
    _answers.changed("web1", TREE.replace("config_tree", "retire"))
    _answers.changed("web1", RELEASE, ["blog"])
    assert settled(RELEASES).apps == {"shop", "wiki"}
    _answers.changed("web1", RELEASE, ["wiki"])
    assert settled(RELEASES) == ({"shop"}, {"steps": {}, "staged": []})
    _answers.changed("web1", TREE)
    assert settled(RELEASES) is None


def test_nothing_is_settled_without_a_survey_or_in_a_step_that_is_not_for_each_app(settled):
    assert _answers.settled("web2", ROLLOUT, {"apps": APPS, "releases": RELEASES}) is None
    assert _answers.settled("web1", TREE, {"apps": APPS}) is None


def test_the_steps_that_follow_are_those_with_something_to_do_and_those_that_depend_on_them():
    packages, probe = "wsgi.stack.packages", "wsgi.stack.site_probe_info"
    answers = [
        asked("app", packages, {}),
        asked("app", BUILD, None),
        asked("app", RELEASE, {}),
        asked("uwsgi", packages, None),
        asked("uwsgi", ROLLOUT, {}),
        asked("nginx", "wsgi.stack.site_plan", {}),
        asked("certbot", "ansible.builtin.systemd_service", None),
        asked("certbot", "", None),
        asked("nginx/probe", probe, {}),
    ]
    assert _answers.following("web1", BUILD) == []
    _answers.keep("web1", answers, ["app"], NOTHING)
    assert _answers.following("web1", BUILD) == [RELEASE, ROLLOUT, probe]
    assert _answers.following("web1", ROLLOUT) == [probe]
    assert _answers.following("web1", probe) == []


def test_what_steps_will_need_is_known_until_it_is_there():
    assert _answers.needed("web1") == NOTHING
    _answers.note_installed("web1", ["nginx"])
    assert _answers.installed("web1") == set()  # without a survey no step relies on another
    needed = _answers.Needed(["shop"], ["nginx", "uwsgi-core"], False)
    _answers.keep("web1", [asked("app", BUILD, {})], ["app"], needed)
    assert _answers.needed("web1") == needed
    _answers.changed("web1", "wsgi.stack.packages")
    _answers.note_installed("web1", ["nginx"])
    assert _answers.installed("web1") == {"nginx"}
    assert _answers.idle("web1") == []
    _answers.keep("web1", [asked("app", BUILD, {})], ["app"], NOTHING)
    assert _answers.installed("web1") == set()


@pytest.mark.usefixtures("surveyed")
def test_no_secret_is_kept(tmp_path):
    _answers.keep("web1", [asked("app", BUILD, {}, secrets="hunter22")], ["app"], NOTHING)
    assert "hunter22" not in "".join(path.read_text() for path in tmp_path.iterdir())
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_every_dependency_is_a_step():
    modules = {"packages", "accounts", "build", "release", "uwsgi_plugin", "rollout", "site_certificates", "config_tree"}
    modules |= {"certificate", "site_probe_info"}
    known = {f"wsgi.stack.{name}" for name in modules}
    assert set().union(_answers.DEPENDS, *_answers.DEPENDS.values()) == known
