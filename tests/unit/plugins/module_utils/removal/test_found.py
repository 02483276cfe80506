# SPDX-License-Identifier: GPL-3.0-or-later
"""Which apps there are on a host, and which of them are removed."""

from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _ownership
from ansible_collections.wsgi.stack.plugins.module_utils.removal import _found


def test_a_directory_of_somebody_elses_is_no_app(tmp_path, monkeypatch):
    monkeypatch.setattr(_ownership, "accounts", lambda: _ownership.Accounts((), ()))
    monkeypatch.setattr(_found, "_is_roots_directory", os.path.isdir)
    for name, inside in (("site", "htdocs"), ("half", "releases"), ("Capital", "slots"), ("mysql", "slots")):
        (tmp_path / name / inside).mkdir(parents=True)
    (tmp_path / "Capital/releases").mkdir()
    (tmp_path / "shop/releases").mkdir(parents=True)
    (tmp_path / "shop/slots").mkdir()
    assert _found.found(str(tmp_path), "/run/nowhere") == {"shop"}


@pytest.mark.parametrize(
    ("keep", "remove", "prune", "going"),
    [
        (["shop"], [], False, []),
        (["shop"], ["blog"], False, ["blog"]),
        (["shop"], [], True, ["blog", "wiki"]),
        (["shop", "blog"], [], True, ["wiki"]),
        (["shop"], ["shop"], True, ["blog", "wiki"]),
        ([], ["never-deployed"], False, []),
    ],
)
def test_which_apps_go(keep, remove, prune, going):
    assert _found.going({"shop", "blog", "wiki"}, keep, remove, prune) == going
