# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that returns failures is a step: its failures cannot get lost."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest
import yaml

from ansible_collections.wsgi.stack.plugins.plugin_utils import _step

MODULES = Path(__file__).resolve().parents[4] / "plugins/modules"


def returns_failures(path):
    tree = ast.parse(path.read_text())
    (text,) = (
        node.value.value for node in tree.body if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RETURN"
    )
    return "failures" in (yaml.safe_load(text) or {})


STEPS = sorted(path.stem for path in MODULES.glob("*.py") if returns_failures(path))


def test_the_steps_are_found():
    assert {"build", "rollout", "site_certificates"} < set(STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_a_module_that_returns_failures_is_a_step(name):
    action = importlib.import_module(f"ansible_collections.wsgi.stack.plugins.action.{name}")
    assert issubclass(action.ActionModule, _step.StepAction)
    assert "run" not in vars(action.ActionModule), "only _step.StepAction.run keeps the failures"
