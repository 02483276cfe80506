# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._attempts import Attempts


def test_an_observation_fails_alone():
    attempts = Attempts()
    made = [attempts.make(name, call) for name, call in (("One", lambda: 1), ("Two", lambda: int("x")), ("Three", lambda: 3))]
    assert made == [1, None, 3]
    (failed,) = attempts.failed
    assert (failed.code, failed.severity) == ("not_examined", "warning")
    assert failed.message.startswith("Two could not be examined: ValueError: invalid literal")
