# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _state


def test_every_process_manager_has_a_class_and_a_tree():
    assert {stack.process_manager for stack in _registry.STACKS.values()} == set(_state.PROCESS_MANAGERS)
    assert set().union(*_registry.trees().values()) == set(_registry.STACKS) == set(_state.MANAGERS)
    assert _registry.stacks_of("emperor") == _registry.trees()["emperor"] == {"uwsgi_emperor"}


def test_a_stack_has_all_keys_but_those_of_others():
    assert _registry.foreign_keys("uwsgi_emperor") == [
        ("privileged_programs", "uwsgi"),
        ("gevent", "gunicorn_supervisor"),
        ("bind", "gunicorn_supervisor"),
        ("privileged_programs", "gunicorn_supervisor"),
    ]
    assert [key for key, _stack in _registry.foreign_keys("uwsgi")] == ["idle", "gevent", "bind"]
