# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks of a role, as they are if nothing changes."""

from __future__ import annotations

import json
import textwrap

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.wsgi.stack.plugins.module_utils.survey import _references
from ansible_collections.wsgi.stack.plugins.plugin_utils import _role_tasks


@pytest.fixture
def role(tmp_path, monkeypatch):
    """Writes the tasks of a role, and reads them."""
    monkeypatch.setattr(_role_tasks, "ROLES", tmp_path)

    def read(tasks, name="app", **variables):
        for kind, text in {"defaults": "app_port: 80\napp_name: '{{ wanted }}'", "vars": "__app_all: [shop, blog]"}.items():
            (tmp_path / "app" / kind).mkdir(parents=True, exist_ok=True)
            (tmp_path / "app" / kind / "main.yml").write_text(f"---\n{text}\n")
        file = tmp_path / "app/tasks" / f"{name.partition('/')[2] or 'main'}.yml"
        file.parent.mkdir(exist_ok=True)
        file.write_text("---\n" + textwrap.dedent(tasks))
        loader = DataLoader()
        return list(_role_tasks.Roles(loader, Templar(loader=loader), {"wanted": "shop", **variables}).tasks(name))

    return read


def shown(tasks):
    return [(task.module, task.arguments) for task in tasks]


def test_arguments_have_the_values_of_defaults_variables_and_the_hosts_own(role):
    tasks = """
        - name: One
          wsgi.stack.packages:
            name: ["{{ app_name }}", "{{ app_port }}", "{{ __app_all | first }}"]
    """
    assert shown(role(tasks, app_port=81)) == [("wsgi.stack.packages", {"name": ["shop", 81, "shop"]})]


def test_another_file_of_tasks(role):
    assert [task.role for task in role("- {name: One, wsgi.stack.packages: {name: [x]}}", "app/retire")] == ["app/retire"]


@pytest.mark.parametrize("name", ["bogus", "wsgi.stack.app", "../app", "app/.."])
def test_a_role_that_does_not_exist_is_refused_with_those_that_do(role, name):
    with pytest.raises(AnsibleError, match=r"^roles: '.*' is no role of wsgi\.stack; use app,"):
        role("- {name: One, wsgi.stack.packages: {name: [x]}}", name)


@pytest.mark.parametrize("template", ["{{ app_name }}", "{{ app_port }}"])
def test_a_variable_that_needs_itself_makes_a_task_that_cannot_be_asked(role, template):
    loop = {"app_name": trust_as_template("{{ app_port }}"), "app_port": trust_as_template("{{ app_name }}")}
    tasks = role(f"- {{name: One, wsgi.stack.packages: {{name: '{template}'}}}}", **loop)
    assert shown(tasks) == [("", {})]


def test_what_is_skipped_is_left_out(role):
    tasks = """
        - {name: One, wsgi.stack.packages: {name: [a]}, when: app_port == 81}
        - {name: Two, wsgi.stack.packages: {name: [b]}, when: [app_port == 80, wanted == 'blog']}
        - {name: Three, wsgi.stack.packages: {name: [c]}, when: app_port == 80}
        - {name: Four, wsgi.stack.packages: {name: "{{ item }}"}, loop: "{{ __app_all | difference(__app_all) }}"}
        - {name: Five, wsgi.stack.failures: }
    """
    assert shown(role(tasks)) == [("wsgi.stack.packages", {"name": ["c"]})]


def test_what_an_earlier_play_registered_is_not_the_result_of_a_task_that_is_skipped(role):
    tasks = """
        - {name: One, wsgi.stack.site_plan: {apps: []}, register: plan, when: app_port == 81}
        - {name: Two, wsgi.stack.packages: {name: "{{ plan.apps | default(['now']) }}"}}
    """
    assert shown(role(tasks, plan={"apps": ["before"]})) == [("wsgi.stack.packages", {"name": ["now"]})]


def test_a_block_gives_its_variables_and_condition_to_its_tasks(role):
    tasks = """
        - name: Some
          vars: {wanted: blog}
          block:
            - {name: One, wsgi.stack.packages: {name: ["{{ app_name }}"]}}
        - name: None
          when: wanted == 'blog'
          block:
            - {name: Two, wsgi.stack.packages: {name: [x]}}
    """
    assert shown(role(tasks)) == [("wsgi.stack.packages", {"name": ["blog"]})]


def test_what_a_task_takes_from_an_earlier_one_is_a_reference(role):
    tasks = """
        - {name: One, wsgi.stack.accounts: {apps: [{name: shop}]}, register: app_accounts}
        - {name: Two, wsgi.stack.build: {apps: [{name: shop}], given: "{{ app_accounts.apps }}"}, register: app_build}
        - {name: Three, wsgi.stack.release: {builds: "{{ app_build.builds }}"}}
    """
    _accounts, build, release = role(tasks)
    assert build.arguments["given"] == ["shop"]
    results = {"app_build": {"builds": {"shop": {"digest": "abc"}}}}
    assert _references.resolve(json.loads(json.dumps(release.arguments)), results) == {"builds": {"shop": {"digest": "abc"}}}


@pytest.mark.parametrize(
    "rest",
    [
        "loop: '{{ __app_all }}'",
        "until: true",
        "when: app_missing",
        "when: some_result is changed",
        "vars: {app_name: '{{ app_missing }}'}",
    ],
)
def test_a_task_that_cannot_be_foreseen_has_no_module(role, rest):
    assert shown(role(f"- {{name: One, wsgi.stack.packages: {{name: ['{{{{ app_name }}}}']}}, {rest}}}")) == [("", {})]


def test_what_takes_the_result_of_such_a_task_cannot_be_foreseen_either(role):
    tasks = """
        - {name: One, wsgi.stack.release: {apps: "{{ app_missing }}"}, register: app_release}
        - {name: Two, wsgi.stack.rollout: {releases: "{{ app_release.releases }}"}}
    """
    assert shown(role(tasks, app_release={"releases": {}})) == [("", {}), ("", {})]


def test_a_template_is_the_roles_own(role, tmp_path):
    tasks = """
        - {name: One, wsgi.stack.config_tree: {name: x, files: [{src: x.j2, dest: /x}, {content: y, dest: /y}]}}
    """
    (task,) = role(tasks)
    assert task.arguments["files"] == [
        {"src": str(tmp_path / "app/templates/x.j2"), "dest": "/x"},
        {"content": "y", "dest": "/y"},
    ]
