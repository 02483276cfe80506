# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules return: secrets are hidden first, and then control characters are shown."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from ansible.module_utils import basic

from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Module

MODULES = Path(__file__).resolve().parents[5] / "plugins/modules"


@pytest.fixture
def module(monkeypatch):
    def initialize(self):
        self.params = {"apps": [{"source": {"git": "https://reader:hunter22@host/x"}, "packages": ["x @ https://t0ken@host/x"]}]}
        self.no_log_values = {"hid\x1bden"}

    monkeypatch.setattr(basic.AnsibleModule, "__init__", initialize)
    return Module()


@pytest.mark.parametrize("name", ["exit_json", "fail_json"])
def test_a_result_has_neither_secrets_nor_control_characters(module, monkeypatch, name):
    returned = {}
    monkeypatch.setattr(basic.AnsibleModule, name, lambda _self, **result: returned.update(result))
    getattr(module, name)(msg="one\ntwo \x1b hid\x1bden", found=["\x9b"])
    text = json.dumps(returned)
    assert returned == {"msg": "one\ntwo " + r"\x1b " + "*" * 8, "found": [r"\x9b"]}, text


def test_a_result_has_no_credentials_of_urls_that_were_given(module, monkeypatch):
    returned = {}
    monkeypatch.setattr(basic.AnsibleModule, "exit_json", lambda _self, **result: returned.update(result))
    module.exit_json(msg="reader:hunter22 t0ken", **module.params)
    assert "hunter22" not in str(returned)
    assert "t0ken" not in str(returned)


def test_a_warning_has_no_control_characters(module, monkeypatch):
    told = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _self, text: told.append(text))
    module.warn("a\x1b")
    assert told == [r"a\x1b"]


def test_every_module_is_one():
    for path in MODULES.glob("*.py"):
        calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
        assert "AnsibleModule" not in calls, path.name
