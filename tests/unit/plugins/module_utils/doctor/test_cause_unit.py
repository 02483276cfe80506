# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _cause_unit
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._advice import Setup
from ansible_collections.wsgi.stack.plugins.module_utils.doctor._why import is_sentence

UNIT = {
    "Id": "shop.service",
    "LoadState": "loaded",
    "ActiveState": "failed",
    "Result": "exit-code",
    "ExecMainCode": "1",
    "ExecMainStatus": "1",
    "FragmentPath": "/etc/systemd/system/shop.service",
    "User": "daemon",
    "ExecStart": "{ path=/nowhere/bin/gunicorn ; argv[]=/nowhere/bin/gunicorn shop:app ; ignore_errors=no }",
}


def why(**changed):
    return _cause_unit.why({**UNIT, **changed}, Setup())


@pytest.mark.parametrize(
    ("state", "text", "command"),
    [
        (
            {"ActiveState": "failed", "Result": "exit-code"},
            "has failed (exit-code)",
            "systemctl restart db && systemctl start shop",
        ),
        ({"LoadState": "not-found"}, "does not exist", "systemctl daemon-reload && systemctl start shop"),
        ({"LoadState": "masked"}, "is masked", "systemctl unmask db && systemctl start shop"),
    ],
    ids=["failed", "gone", "masked"],
)
def test_a_unit_that_needs_another_one_that_is_not_there(monkeypatch, state, text, command):
    states = {"sysinit.target": {"LoadState": "loaded", "ActiveState": "active"}, "db.service": {"LoadState": "loaded", **state}}
    monkeypatch.setattr(_cause_unit._systemd, "show", lambda names, _properties: {name: states[name] for name in names})
    found = why(ActiveState="inactive", Result="success", Requires="sysinit.target db.service")
    assert found.text == f"db.service, which it requires, {text}"
    assert command in found.fix
    assert why(ActiveState="active", Requires="db.service") is None
    assert why(ActiveState="inactive", BindsTo="sysinit.target") is None


def test_what_its_own_log_has_to_tell_is_not_guessed():
    assert why() is None


@pytest.mark.parametrize(
    ("changed", "text", "fix"),
    [
        ({"LoadState": "masked"}, "masked", "systemctl unmask shop && systemctl enable --now shop"),
        ({"LoadState": "bad-setting"}, "rejects its unit file", None),
        (
            {"Result": "resources", "EnvironmentFiles": "/nowhere/.env (ignore_errors=no)"},
            "its EnvironmentFile /nowhere/.env does not exist",
            None,
        ),
        ({"Result": "signal", "ExecMainCode": "2", "ExecMainStatus": "9"}, "it was killed (SIGKILL)", "systemctl restart shop"),
        (
            {"ExecMainStatus": "203", "ExecStart": "{ path=source ; argv[]=source env && gunicorn a:b ; ignore_errors=no }"},
            "its command is a line for a shell, which systemd does not start: source is no program (exit code 203)",
            None,
        ),
        ({"ExecMainStatus": "203"}, "/nowhere/bin/gunicorn does not exist (exit code 203)", None),
        (
            {"ExecMainStatus": "200", "WorkingDirectory": "/nowhere/shop"},
            "its working directory /nowhere/shop does not exist",
            None,
        ),
        ({"ExecMainStatus": "217", "User": "nobody_there"}, "its user nobody_there does not exist", None),
        ({"ExecMainStatus": "226"}, "a path in its settings is missing", None),
        ({"Result": "oom-kill"}, "ran out of memory", None),
        ({"Result": "protocol", "Type": "notify"}, "as Type=notify wants", None),
        (
            {"Result": "timeout", "Type": "forking"},
            "Type=forking waits until the server goes to the background",
            "printf '[Service]\\nType=exec\\n' > /etc/systemd/system/shop.service.d/type.conf && systemctl daemon-reload",
        ),
        ({"ActiveState": "activating", "SubState": "start", "Type": "forking"}, "Type=forking", ""),
        (
            {"ActiveState": "inactive", "ConditionResult": "no", "ConditionTimestampMonotonic": "7"},
            "a condition of its unit",
            None,
        ),
    ],
)
def test_a_unit_that_does_not_run_has_a_cause(changed, text, fix):
    found = why(**changed)
    assert text in found.text
    assert is_sentence(found.fix) if fix is None else fix in found.fix


def test_an_optional_environment_file_may_be_missing():
    assert why(EnvironmentFiles="/nowhere/.env (ignore_errors=yes)") is None


def test_a_unit_that_failed_too_often_is_reset_first():
    assert _cause_unit.again({**UNIT, "Result": "start-limit-hit"}) == "systemctl reset-failed shop; systemctl restart shop"


def test_the_directory_of_the_app_is_set_for_good(tmp_path):
    (tmp_path / "shop/venv/bin").mkdir(parents=True)
    (tmp_path / "shop/wsgi.py").write_text("")
    start = f"{{ path=x ; argv[]={tmp_path}/shop/venv/bin/gunicorn wsgi:app ; ignore_errors=no }}"
    found = why(ExecMainStatus="200", WorkingDirectory=f"{tmp_path}/old", ExecStart=start)
    assert f"WorkingDirectory={tmp_path}/shop\\n" in found.fix
