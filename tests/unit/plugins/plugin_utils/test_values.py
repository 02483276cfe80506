# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of templates, and when they are found again."""

from __future__ import annotations

import itertools

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.wsgi.stack.plugins.plugin_utils import _values

NAMES = {
    "all": "{{ ['shop', 'blog'] }}",
    "some": "{{ all | select('in', chosen) }}",
    "tree": "{{ {'files': [port], 'size': 1} }}",
}


@pytest.fixture
def registered():
    return {}


@pytest.fixture
def values(registered):
    variables = {name: trust_as_template(template) for name, template in NAMES.items()}
    return _values.Values(Templar(loader=DataLoader()), {**variables, "port": 80, "chosen": ["shop"]}, registered)


def of(values, template):
    return values.of(trust_as_template(template))


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ all }}", ["shop", "blog"]),
        ("{{ some }}", ["shop"]),
        ("{{ all | first }}", "shop"),
        ("{{ tree.files }}", [80]),
        ("{{ tree.files | first }}", 80),
        ("{{ port }}", 80),
        ("{{ chosen }}", ["shop"]),
        ("uwsgi", "uwsgi"),
        ("{{ all | first }}/{{ port }}", "shop/80"),
    ],
)
def test_values_are_those_that_ansible_finds(values, template, value):
    assert [of(values, template) for _time in range(2)] == [value] * 2
    assert values.templar.copy_with_new_env(available_variables=values.all()).template(trust_as_template(template)) == value


@pytest.mark.parametrize("template", ["{{ tree.missing }}", "{{ all.missing }}", "{{ missing }}"])
def test_what_is_not_there_has_no_value(values, template):
    with pytest.raises(AnsibleError):
        of(values, template)


def test_a_variable_is_evaluated_once(values, monkeypatch):
    count = itertools.count()
    template = Templar.template

    def counted(*arguments, **options):
        next(count)
        return template(*arguments, **options)

    monkeypatch.setattr(Templar, "template", counted)
    assert [of(values, text) for text in ("{{ tree.files }}", "{{ tree.size }}", "{{ tree }}")] == [
        [80],
        1,
        {"files": [80], "size": 1},
    ]
    assert next(count) == 1


def test_what_depends_on_a_result_is_found_again_with_another_one(values, registered):
    assert of(values, "{{ some }}") == ["shop"]
    registered["chosen"] = ["blog"]
    assert of(values, "{{ some }}") == ["blog"]
    registered["chosen"] = []
    assert of(values, "{{ some }}") == []
    assert of(values, "{{ all }}") == ["shop", "blog"]


def test_a_result_takes_the_place_of_a_variable(values, registered):
    registered["all"] = ["wiki"]
    assert of(values, "{{ all }}") == ["wiki"]


def test_a_tasks_own_variables_are_for_it_alone(values):
    assert of(values.beside({"chosen": ["blog"]}), "{{ some }}") == ["blog"]
    assert of(values, "{{ some }}") == ["shop"]


def test_arguments_that_are_omitted_are_left_out(values):
    texts = {"one": "{{ all }}", "two": "{{ none or omit }}", "three": "{{ chosen or omit }}"}
    arguments = {**{name: trust_as_template(text) for name, text in texts.items()}, "four": [trust_as_template("{{ port }}")]}
    assert values.of_each(arguments) == {"one": ["shop", "blog"], "three": ["shop"], "four": [80]}
    assert values.of_each(None) is None


def test_a_condition_is_met_or_not(values):
    assert values.holds(trust_as_template("'blog' in all"))
    assert not values.holds(trust_as_template("'blog' in some"))
