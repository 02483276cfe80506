# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which a server is asked in two protocols."""

from __future__ import annotations

import os
import threading
import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.socket_access import _inside

DONE = {"stage": "done", "status": 200}
CLOSED = {"stage": "answer", "error": "EOF", "text": ""}
BAD = {"stage": "done", "status": 400}


class Ask:
    """A server that answers in each protocol after its time, or when it is told that nothing more comes."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []
        self.hurried = threading.Event()

    def attempt(self, protocol, timeout, close_after=None, on_close=None, **_rest):
        self.asked.append(protocol)
        seconds, answer = self.answers[protocol]
        if close_after is not None and seconds > close_after:
            time.sleep(close_after)
            on_close()
            time.sleep(seconds - close_after)
        else:
            time.sleep(seconds)
        return answer


def asked(protocols=("uwsgi", "http"), timeout=0.6, **answers):
    ask = Ask(**answers)
    target = {
        "address": "unix:/x",
        "uri": "/",
        "host": "h",
        "method": "GET",
        "scheme": "http",
        "protocols": list(protocols),
        "timeout": timeout,
    }
    began = time.monotonic()
    found = _inside.question(ask, target)
    return found, ask.asked, time.monotonic() - began


def test_one_protocol_is_enough_if_it_is_understood():
    found, tried, _seconds = asked(uwsgi=(0, DONE))
    assert (found, tried) == ({"uwsgi": DONE}, ["uwsgi"])


def test_the_other_one_is_tried_if_the_first_is_not_understood():
    found, _tried, _seconds = asked(uwsgi=(0, CLOSED), http=(0, DONE))
    assert found == {"uwsgi": CLOSED, "http": DONE}
    assert list(found) == ["uwsgi", "http"]


def test_a_bad_request_may_be_the_wrong_protocol():
    found, _tried, _seconds = asked(uwsgi=(0, BAD), http=(0, DONE))
    assert found == {"uwsgi": BAD, "http": DONE}


def test_a_slow_answer_still_counts_and_ends_the_wait():
    found, tried, seconds = asked(timeout=1.2, uwsgi=(0.8, DONE), http=(5, CLOSED))
    assert found["uwsgi"] == DONE
    assert tried == ["uwsgi", "http"]
    assert seconds < 1.1


def test_silence_ends_with_the_time():
    found, _tried, seconds = asked(uwsgi=(5, CLOSED), http=(5, CLOSED))
    assert {attempt["error"] for attempt in found.values()} == {"ETIMEDOUT"}
    assert seconds < 1.2


def test_what_cannot_be_connected_to_is_not_tried_twice():
    refused = {"stage": "connect", "error": "ECONNREFUSED"}
    assert asked(uwsgi=(0, refused))[0] == {"uwsgi": refused}


def test_a_protocol_that_is_not_spoken_is_only_connected():
    ask = Ask(**{"": (0, {"stage": "done", "status": None})})
    target = {"address": "unix:/x", "uri": "/", "host": "h", "method": "GET", "scheme": "http", "protocols": [], "timeout": 1}
    assert _inside.question(ask, target) == {"": {"stage": "done", "status": None}}


def test_one_need_not_become_who_one_is(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    _inside.become({"uid": 1001, "gid": 1001, "groups": []})
    with pytest.raises(PermissionError):
        _inside.become({"uid": 33, "gid": 33, "groups": []})


def test_a_process_that_is_gone_cannot_be_entered():
    assert _inside.enter([2**22 + 1]).startswith("process 4194305: ")


def test_the_process_itself_is_where_it_is():
    assert _inside.enter([os.getpid()]) == ""


def test_a_question_that_cannot_be_asked_fails_alone():
    found = _inside.answered(None, {"address": "django"})
    assert found[""]["stage"] == "connect"
    assert found[""]["text"].startswith("KeyError: ")
