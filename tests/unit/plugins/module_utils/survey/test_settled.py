# SPDX-License-Identifier: GPL-3.0-or-later
"""Which apps a step has nothing to do for, and how its results are put together."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.survey import _settled, _survey

FAILURES = [{"app": "wiki", "message": "no"}]


@pytest.mark.parametrize(
    ("module", "result", "affected"),
    [
        ("build", {"builds": {"shop": {"changed": False}, "blog": {"changed": True}}, "failures": FAILURES}, {"blog", "wiki"}),
        (
            "release",
            {"releases": {"shop": 1, "blog": 2}, "affected": ["blog"], "deferred": ["forum"], "failures": FAILURES},
            {"blog", "forum", "wiki"},
        ),
        (
            "rollout",
            {"steps": {"blog": [["stop", "blue"]]}, "staged": ["forum"], "switching": ["cms"], "failures": FAILURES},
            {"blog", "forum", "cms", "wiki"},
        ),
        ("site_probe_info", {"sites": {"shop": []}, "asleep": ["blog"], "failures": FAILURES}, {"wiki"}),
    ],
)
def test_the_apps_that_a_result_says_something_new_of(module, result, affected):
    assert _settled.AFFECTED[f"wsgi.stack.{module}"](result) == affected


def test_every_step_for_each_app_is_one_that_a_survey_asks():
    assert _settled.AFFECTED.keys() <= _survey.STEPS.keys()


def test_arguments_and_results_are_divided_by_app_and_put_together_again():
    apps = [{"name": "shop"}, {"name": "blog"}]
    given = {"apps": apps, "releases": {"shop": 1, "blog": 2}, "builds": {}, "command_results": {"web1": {}}}
    alone = {"apps": apps[1:], "releases": {"blog": 2}, "builds": {}, "command_results": {"web1": {}}}
    assert _settled.arguments(given, {"blog"}) == alone

    both = {"steps": {"shop": [1], "blog": [2]}, "staged": ["shop", "blog"], "failures": [{"app": "blog"}], "diff": [{}]}
    settled = _settled.result(both, {"shop"})
    assert settled == {"steps": {"shop": [1]}, "staged": ["shop"], "failures": [], "diff": []}
    done = {"changed": True, "steps": {"blog": [2]}, "staged": ["blog"], "failures": [{"app": "blog"}], "diff": [{}]}
    assert _settled.merged(done, settled) == {"changed": True, **both}
