# SPDX-License-Identifier: GPL-3.0-or-later
"""Every worker has to answer."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.host import _processes
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _answering
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._health import Answer


def is_stopped(pid):
    return _processes.text(pid, "stat").rpartition(") ")[2].startswith("T")


class Server:
    """A main process, which is this one, with workers; the first that is not stopped answers, unless it hangs."""

    def __init__(self, workers):
        self.workers, self.hangs, self.asked = workers, set(), []

    def ask(self, times):
        free = [pid for pid in self.workers if not is_stopped(pid)]
        self.asked.append((times, len(free)))
        if not free or free[0] in self.hangs:
            return [Answer(False, "no answer")] * times
        return [Answer(True, "GET / returned 200", sender=free[0])] * times


@pytest.fixture
def server():
    processes = [subprocess.Popen(["sleep", "600"]) for _number in range(3)]
    yield Server([process.pid for process in processes])
    for process in processes:
        process.kill()
        process.wait()


def test_all_workers_are_asked_and_none_stays_stopped(server):
    assert _answering.problem(os.getpid(), 3, server.ask) == ""
    assert server.asked == [(3, 3), (2, 2), (1, 1)]
    time.sleep(0.05)
    assert not any(map(is_stopped, server.workers))


def test_no_other_is_asked_before_a_worker_is_stopped(server, monkeypatch):
    states = dict(zip(server.workers, map(iter, ("SR", "D", ""))))
    seen = []

    def text(pid, name, *limit):
        state = "S"
        if name.startswith("task/"):
            state = next(states[pid], "T")
            seen.append((pid, state))
        return f"{pid} (sleep) {state} {os.getpid()} " + "0 " * 20

    monkeypatch.setattr(_answering._processes, "text", text)
    answers = [[Answer(True, "", sender=pid)] for pid in server.workers]
    assert _answering.problem(os.getpid(), 3, lambda times: answers.pop(0)) == ""
    for pid, wanted in zip(server.workers, ("SRT", "DT", "T")):
        assert "".join(state for each, state in seen if each == pid) == wanted


def test_a_worker_that_does_not_answer_is_told(server):
    server.hangs = {server.workers[1]}
    assert _answering.problem(os.getpid(), 3, server.ask) == "1 of 3 workers answered: no answer"
    time.sleep(0.05)
    assert not any(map(is_stopped, server.workers))


def test_a_single_worker_has_answered_already(server):
    assert _answering.problem(os.getpid(), 1, server.ask) == ""
    assert server.asked == []


def test_workers_that_an_earlier_run_has_stopped_go_on(server):
    for pid in server.workers:
        os.kill(pid, signal.SIGSTOP)
    assert _answering.problem(os.getpid(), 2, server.ask) == ""


@pytest.mark.parametrize("sender", [0, 1])
def test_no_process_but_a_worker_is_stopped(server, sender):
    def ask(times):
        return [Answer(True, "GET / returned 200", sender=sender)] * times

    assert _answering.problem(server.workers[0], 2, ask) == ""


@pytest.mark.parametrize(("content", "count"), [('{"server_processes": 4}', 4), ("{}", 1), ("", 1)])
def test_the_release_says_how_many_workers_there_are(tmp_path, content, count):
    layout = _layout.Layout("shop", str(tmp_path))
    assert _answering.expected(layout, "blue") == 1
    os.makedirs(layout.release(3))
    os.mkdir(layout.slots)
    with open(f"{layout.release(3)}/release.json", "w") as stream:
        stream.write(content)
    os.symlink("../releases/3", layout.slot("blue"))
    assert _answering.expected(layout, "blue") == count
