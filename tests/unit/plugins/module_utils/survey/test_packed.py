# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps arrive as they were sent."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.survey import _packed


def test_steps_come_back_without_what_the_host_need_not_know():
    step = {"module": "wsgi.stack.build", "register": "app_build", "arguments": {"apps": [{"name": "shop"}], "none": None}}
    assert _packed.unpack(_packed.pack([{**step, "role": "app"}])) == [step]


def test_the_same_apps_in_many_steps_cost_little():
    apps = [{"name": f"app-{number}", "values": "x" * 1000} for number in range(100)]
    steps = [{"module": "m", "register": "", "arguments": {"apps": apps}}] * 10
    assert len(_packed.pack(steps)) < len(str(apps)) / 2


def test_no_steps():
    assert _packed.unpack("") == []
