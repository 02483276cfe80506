# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version can be released."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.tests import release

FIX, FEATURE, BREAK = {"bugfixes"}, {"bugfixes", "minor_changes"}, {"breaking_changes"}


@pytest.mark.parametrize(
    ("version", "released", "sections"),
    [
        ("0.1.0", [], FEATURE),
        ("0.1.1", ["0.1.0"], FIX),
        ("0.10.0", ["0.2.0", "0.9.0"], FEATURE),
        ("0.2.0", ["0.1.0"], BREAK),
        ("1.0.0", ["0.9.3"], FEATURE),
        ("2.0.0", ["1.4.0"], BREAK),
    ],
)
def test_a_version_that_says_what_has_changed_can_be_released(version, released, sections):
    assert release.objection(version, released, sections) == ""


@pytest.mark.parametrize(
    ("version", "released", "sections", "words"),
    [
        ("", ["0.1.0"], FIX, "is invalid"),
        ("v0.2.0", ["0.1.0"], FIX, "is invalid"),
        ("0.02.0", ["0.1.0"], FIX, "is invalid"),
        ("0.1.0", ["0.1.0"], FIX, "not above the last release, 0.1.0"),
        ("0.9.0", ["0.10.0"], FEATURE, "not above the last release, 0.10.0"),
        ("0.1.1", ["0.1.0"], FEATURE, "raise the middle number of 0.1.0"),
        ("0.1.1", ["0.1.0"], BREAK, "raise the middle number of 0.1.0"),
        ("1.5.0", ["1.4.0"], BREAK, "raise the first number of 1.4.0"),
        ("0.2.0", ["0.1.0"], set(), "nothing to release"),
    ],
)
def test_another_one_is_refused(version, released, sections, words):
    assert words in release.objection(version, released, sections)
