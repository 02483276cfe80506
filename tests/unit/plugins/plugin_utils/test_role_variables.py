# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the roles."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible.parsing.dataloader import DataLoader

from ansible_collections.wsgi.stack.plugins.plugin_utils import _role_variables
from ansible_collections.wsgi.stack.plugins.plugin_utils._role_tasks import ROLES

BOOL = {"type": "bool", "default": True}
TEXTS = {"type": "list", "elements": "str", "default": []}
CHOICE = {"type": "str", "choices": ["uv", "pip"], "default": "uv"}


@pytest.mark.parametrize(
    ("option", "value"),
    [(BOOL, "yes"), (BOOL, False), (TEXTS, "one, two"), (TEXTS, []), (CHOICE, "pip"), ({"type": "str", "default": ""}, 7)],
)
def test_a_value_that_ansible_can_convert_is_good(option, value):
    assert _role_variables.value_problem("v", option, value) == ""


@pytest.mark.parametrize(
    ("option", "value", "shown", "wanted"),
    [
        (BOOL, "perhaps", "'perhaps'", "true or false"),
        (TEXTS, {"a": 1}, "a dictionary", "a list, of which each item is a text"),
        ({"type": "list", "elements": "int"}, ["a"], "['a']", "a list, of which each item is a number"),
        (CHOICE, "npm", "'npm'", "one of uv, pip"),
    ],
)
def test_another_value_is_named_with_what_it_should_be(option, value, shown, wanted):
    assert _role_variables.value_problem("v", option, value) == f"v: {shown} is not valid; set it to {wanted}."


def test_the_roles_are_asked_about_their_variables_alone():
    variables = {"nginx_apps": 1, "nginx_worker": 2, "nginx_ipv6": "later", "certbot_check_names": "perhaps"}

    def template(value):
        if value == "later":
            raise AnsibleUndefinedVariable("not yet")
        return value

    found = _role_variables.problem(DataLoader(), variables, template)
    assert found == "certbot_check_names: 'perhaps' is not valid; set it to true or false."
    assert _role_variables.problem(DataLoader(), {"name": "x"}, template) == ""


def test_every_type_has_words():
    for path in ROLES.glob("*/meta/argument_specs.yml"):
        for option in DataLoader().load_from_file(str(path))["argument_specs"]["main"]["options"].values():
            assert {option["type"], option.get("elements", "str")} <= {*_role_variables.KINDS, "dict"}
