# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a worker that did not stay up."""

from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _read_only
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _workers

UNIT = "wsgi-shop.mail-queue-blue@1.service"


@pytest.mark.parametrize(
    ("state", "log", "message"),
    [
        (
            {"ExecMainCode": "1", "ExecMainStatus": "1"},
            "Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'celery'\n",
            "exit code 1; its log says: ModuleNotFoundError: No module named 'celery'; fix that and run the play again.",
        ),
        (
            {"ExecMainCode": "2", "ExecMainStatus": "9"},
            "",
            "signal 9; it wrote nothing; fix that and run the play again.",
        ),
        (
            {"ExecMainCode": "1", "ExecMainStatus": "0"},
            "done\n",
            "exit code 0; its log says: done; what ends by itself belongs into timers.",
        ),
        (
            {"ExecMainCode": "1", "ExecMainStatus": "1"},
            "Read-only file system: 'beat'\n",
            f"exit code 1; its log says: Read-only file system: 'beat'; {_read_only.fix('Read-only file system')}.",
        ),
    ],
)
def test_a_worker_that_ended_early(state, log, message):
    expected = f"worker mail-queue did not stay up for 5 s, but ended with {message}"
    assert _workers.ended_early(UNIT, state, log) == expected


def test_units_that_systemd_does_not_read_are_as_before_so_that_the_next_run_tries_again(monkeypatch, tmp_path):
    def refuse():
        raise StackError("systemd", "it does not read its files again; free some space.")

    monkeypatch.setattr(_workers._files, "File", _workers._files.Link)  # whose owner need not be root
    new, changed, obsolete = (str(tmp_path / name) for name in ("new", "changed", "obsolete"))
    before = {changed: "old text", obsolete: "no longer wanted"}
    for path, text in before.items():
        os.symlink(text, path)
    monkeypatch.setattr(_workers._systemd, "reload", refuse)
    with pytest.raises(StackError):
        _workers._write({new: "text", changed: "new text"}, [obsolete])
    assert {str(path): os.readlink(path) for path in tmp_path.iterdir()} == before
    monkeypatch.setattr(_workers._systemd, "reload", lambda: None)
    assert _workers._write({new: "text", changed: "new text"}, [obsolete])
    assert {str(path): os.readlink(path) for path in tmp_path.iterdir()} == {new: "text", changed: "new text"}
    assert not _workers._write({new: "text", changed: "new text"}, [obsolete])
