# SPDX-License-Identifier: GPL-3.0-or-later
"""How the steps of a rollout are carried out."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._base import Instance
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _health, _run
from ansible_collections.wsgi.stack.plugins.module_utils.socket_access._identity import Identity


def test_a_history_has_what_went_live_once_each_time(tmp_path):
    history = tmp_path / "history"
    for release, stack in ((1, "uwsgi"), (2, "uwsgi"), (2, "uwsgi"), (2, "uwsgi_emperor"), (1, "uwsgi")):
        _run._add_to_history(str(history), release, stack)
    assert [line.split()[:2] for line in history.read_text().splitlines()] == [
        ["1", "uwsgi"],
        ["2", "uwsgi"],
        ["2", "uwsgi_emperor"],
        ["1", "uwsgi"],
    ]


CHANGED = " Its unit is changed by /etc/systemd/system/wsgi-blue@.service.d/override.conf."


class FakeManager:
    """A process manager that notes what it is told; its slots are in the state ``instance``."""

    instance = Instance(True, True)

    def __init__(self):
        self.calls = []

    def states(self, names):
        return dict.fromkeys(names, self.instance)

    def check(self):
        self.calls.append("check")

    def start(self, app, slot):
        self.calls.append(f"start {slot}")

    def stop(self, layout, slot, timeout):
        self.calls.append(f"stop {slot}")

    def service(self, layout, slot):
        return f"wsgi-{slot}@{layout.name}"

    def log(self, layout, slot, since):
        return "Traceback (most recent call last):\nRuntimeError: no database\nworker 1 buried\n"


@pytest.fixture
def rollout(monkeypatch, tmp_path):
    """A rollout of an app on the stack uwsgi, with a fake process manager, and a second for its health check."""
    (app,) = _resolve.resolve(
        [{"name": "shop", "source": {"package": "shop"}, "entry_point": "shop:app", "health_check": {"timeout": 1}}],
        directory=str(tmp_path),
        runtime_directory=str(tmp_path / "run"),
    )
    for path in ("shop/slots", "shop/releases/2", "run/shop"):
        (tmp_path / path).mkdir(parents=True)
    monkeypatch.setattr(_run._state, "MANAGERS", {"uwsgi": FakeManager})
    monkeypatch.setattr(_run._preflight, "check", lambda app, number: None)
    monkeypatch.setattr(_run._identity, "of_workers", lambda: None)
    monkeypatch.setattr(_run.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(_run._systemd, "changed_by", {"wsgi-green@shop": "", "wsgi-blue@shop": CHANGED}.__getitem__)
    return _run.Rollout(app, "www-data")


@pytest.mark.parametrize(
    ("instance", "socket", "answer", "cause"),
    [
        pytest.param(
            Instance(True, failing=True),
            False,
            None,
            "release 2 did not start: its server exited; its log says: RuntimeError: no database",
            id="the server exits",
        ),
        pytest.param(
            Instance(True),
            False,
            None,
            "release 2 was not ready within 1 s (health_check.timeout); its log says: RuntimeError: no database",
            id="never ready",
        ),
        pytest.param(
            Instance(True, True),
            True,
            _health.Answer(False, "GET / returned 500 instead of 200"),
            "release 2 failed its health check: GET / returned 500 instead of 200 (after 1 s);"
            " its log says: RuntimeError: no database",
            id="a bad answer",
        ),
        pytest.param(
            Instance(True, True),
            True,
            _health.Answer(False, "GET / returned 302 to /login instead of 200", "set health_check"),
            "release 2 failed its health check: GET / returned 302 to /login instead of 200 (after 1 s); set health_check.",
            id="an answer of which is known what to do",
        ),
    ],
)
def test_a_release_that_is_not_healthy_is_stopped_and_the_cause_told(monkeypatch, rollout, instance, socket, answer, cause):
    monkeypatch.setattr(rollout.manager, "instance", instance, raising=False)
    monkeypatch.setattr(_run, "stop_everywhere", lambda *arguments: None)
    monkeypatch.setattr(_health, "check", lambda targets, user, timeout: [answer])
    if socket:
        Path(rollout.layout.socket("green")).touch()
    with pytest.raises(StackError) as failure:
        rollout.run([("start", "green"), ("flip", "green")], 2, threading.Semaphore())
    assert (failure.value.step, failure.value.cause) == ("health", cause)
    assert rollout.manager.calls == ["check", "start green", "stop green"]
    assert not os.path.lexists(rollout.layout.live_socket)


def test_what_others_change_of_a_unit_that_does_not_start_is_named(monkeypatch, rollout):
    monkeypatch.setattr(rollout.manager, "instance", Instance(True, failing=True), raising=False)
    monkeypatch.setattr(_run, "stop_everywhere", lambda *arguments: None)
    with pytest.raises(StackError, match=rf"RuntimeError: no database\.{CHANGED}$"):
        rollout.run([("start", "blue")], 2, threading.Semaphore())


def test_a_slot_that_answers_and_is_not_ready_is_told_so(monkeypatch, rollout):
    ready = iter([True])
    monkeypatch.setattr(rollout.manager, "states", lambda names: dict.fromkeys(names, Instance(True, next(ready, False))))
    monkeypatch.setattr(_health, "check", lambda targets, user, timeout: [_health.Answer(True, "GET / returned 200")])
    assert rollout._wait_until_healthy("green") == (
        "failed its health check: it answered, but its process manager does not say that it is ready (after 1 s)",
        "",
    )


def test_a_staged_release_is_checked_again_before_it_goes_live(monkeypatch, rollout):
    answer = _health.Answer(False, "GET / returned 502 instead of 200")
    monkeypatch.setattr(_health, "check", lambda targets, user, timeout: [answer])
    Path(rollout.layout.socket("green")).touch()
    with pytest.raises(StackError, match=r"^release 2 was healthy when it was started, but now failed its health check: GET / "):
        rollout.run([("flip", "green"), ("record", "green")], 2, threading.Semaphore())


def test_an_app_whose_old_slot_ends_keeps_no_other_from_starting(monkeypatch, rollout):
    turns = threading.Semaphore(1)
    free = []
    monkeypatch.setattr(
        rollout, "actions", dict.fromkeys(["record", "stop"], lambda slot, release: free.append(turns.acquire(blocking=False)))
    )
    rollout.run([("record", "green"), ("stop", "blue")], 2, turns)
    assert free == [False, True]


@pytest.mark.parametrize(
    ("before", "release", "previous"),
    [(None, 2, None), (1, 2, "releases/1"), (2, 2, None), (3, 2, "releases/3")],
)
def test_the_files_of_the_release_before_stay_at_hand(rollout, before, release, previous):
    current, other = Path(rollout.layout.current), Path(rollout.layout.previous)
    if before:
        current.symlink_to(f"releases/{before}")
    for _again in range(2):
        rollout.actions["flip"]("green", release)
        assert os.readlink(current) == f"releases/{release}"
        assert (os.readlink(other) if previous else os.path.lexists(other)) == (previous or False)


def test_every_step_of_a_plan_has_an_action(rollout):
    assert set(rollout.actions) == {"start", "workers", "preview", "flip", "record", "stop"}


@pytest.mark.parametrize(
    ("domains", "host"),
    [(["*.a.test", "b.test"], "b.test"), ([], "localhost"), (["*.a.test"], "localhost")],
)
def test_the_host_of_a_health_check(domains, host):
    app = {"canonical_domain": None, "domains": domains, "health_check": {"path": "/health", "status": [200, 204]}}
    for mode, scheme in (("none", "http"), ("certbot", "https")):
        request = _health.request({**app, "tls": {"mode": mode}, "mount": "/shop"})
        assert request == _health.HealthRequest("/health", host, (200, 204), scheme, "/shop")


PATH = "set health_check.path to a page that returns 200 or 204"
STATUS = f"{PATH}, or health_check.status: "
TO_HTTPS = "the app redirects to HTTPS; set tls, or turn its redirect off (in Django SECURE_SSL_REDIRECT)"


@pytest.mark.parametrize(
    ("answer", "healthy", "told", "fix"),
    [
        ({"status": 204, "location": ""}, True, "GET /health returned 204 instead of 200 or 204", ""),
        ({"status": 500, "location": ""}, False, "GET /health returned 500 instead of 200 or 204", ""),
        ({"status": 429, "location": ""}, False, "GET /health returned 429 instead of 200 or 204", ""),
        ({"status": 302, "location": "/x"}, False, "GET /health returned 302 to /x instead of 200 or 204", f"{STATUS}[302]"),
        (
            {"status": 301, "location": "https://u:p4ss@b.test/"},
            False,
            "GET /health returned 301 to https://***@b.test/ instead of 200 or 204",
            f"{STATUS}[301]",
        ),
        ({"status": 404, "location": "/x"}, False, "GET /health returned 404 instead of 200 or 204", PATH),
        (
            {"status": 400, "location": ""},
            False,
            "GET /health returned 400 instead of 200 or 204",
            f"if the app does not accept the host name a.test, allow it (Django: ALLOWED_HOSTS); otherwise {PATH}",
        ),
        ({"error": "no answer"}, False, "no answer", ""),
    ],
)
def test_an_answer_is_judged(answer, healthy, told, fix):
    expected = (healthy, told, fix, 9 if "status" in answer else 0)
    assert _health.judge(_health.HealthRequest("/health", "a.test", (200, 204)), {**answer, "sender": 9}) == expected


@pytest.mark.parametrize(
    ("scheme", "location", "fix"),
    [
        ("http", "https://a.test/health", TO_HTTPS),
        ("http", "https://A.test", TO_HTTPS),
        ("http", "https://a.test:8443/", TO_HTTPS),
        ("http", "https://a.test.example/", f"{STATUS}[301]"),
        ("http", "http://a.test/", f"{STATUS}[301]"),
        ("https", "https://a.test/", f"{STATUS}[301]"),
    ],
)
def test_a_redirect_to_https_without_tls(scheme, location, fix):
    request = _health.HealthRequest("/health", "a.test", (200, 204), scheme)
    assert _health.judge(request, {"status": 301, "location": location, "sender": 9}).fix == fix


def test_a_404_of_an_app_with_a_mount():
    request = _health.HealthRequest("/shop/", "a.test", (200, 204), mount="/shop")
    assert _health.judge(request, {"status": 404, "location": "", "sender": 9}).fix == (
        f"if the app ignores its mount (SCRIPT_NAME is /shop), give it a domain of its own; otherwise {PATH}"
    )


@pytest.mark.parametrize(
    ("answers", "rounds"),
    [
        pytest.param([("a", "fix")] * 99, 3, id="the same for two seconds"),
        pytest.param([("a", "fix"), ("b", "fix")] * 4 + [("a", "fix")] * 91, 11, id="another in between"),
        pytest.param([("a", "")] * 99, 31, id="one that may change"),
    ],
)
def test_an_answer_that_does_not_change_ends_the_wait(monkeypatch, rollout, answers, rounds):
    asked = []

    def ask(targets, user, timeout):
        asked.append(timeout)
        return [_health.Answer(False, *answers[len(asked) - 1])]

    monkeypatch.setattr(_health, "check", ask)
    monkeypatch.setattr(_run.time, "monotonic", lambda: float(len(asked)))
    rollout.app["health_check"]["timeout"] = 31
    assert rollout._wait_until_healthy("green").fix == answers[0][1]
    assert len(asked) == rounds


@pytest.fixture
def workers(rollout, monkeypatch):
    """What becomes of the workers of a rollout whose new ones do not stay up."""
    calls = []

    def note(name):
        return lambda _layout, slot, *more, **_settings: calls.append(f"{name} {slot}")

    for name in ("stop_single", "stop", "resume"):
        monkeypatch.setattr(_run._workers, name, note(name))

    def start(_layout, slot, first_host):
        calls.append(f"start {slot}")
        raise StackError("workers", "one ended")

    monkeypatch.setattr(_run._workers, "start", start)
    monkeypatch.setattr(rollout, "_wait_until_healthy", lambda slot: None)
    return calls


def test_a_worker_that_does_not_stay_up_ends_the_new_slot_and_the_old_single_ones_go_on(rollout, workers):
    with pytest.raises(StackError, match="one ended"):
        rollout.run([("workers", "green"), ("flip", "green")], 2, threading.Semaphore())
    assert workers == ["stop_single blue", "start green", "stop green", "resume blue"]
    assert rollout.manager.calls == ["stop green"]
    assert not os.path.lexists(rollout.layout.live_socket)


def test_workers_of_the_live_slot_that_do_not_stay_up_leave_its_server_alone(rollout, workers):
    with pytest.raises(StackError, match="one ended"):
        rollout.run([("workers", "green")], 2, threading.Semaphore())
    assert workers == ["stop_single blue", "start green"]
    assert rollout.manager.calls == []


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ("www-data", "nginx cannot (fix it with: chmod o+x /run/wsgi/shop)"),
        ("web", "nginx cannot (set wsgi_nginx_user: web and wsgi_nginx_group: 4000000000, as nginx runs)"),
    ],
)
def test_an_nginx_of_another_user_than_was_said_is_a_wrong_setting(rollout, monkeypatch, user, told):
    workers = Identity(user, 7, 4000000000, (), "process", 8, 9)
    access = SimpleNamespace(ok=False, code="permission", message="nginx cannot.", fix="chmod o+x /run/wsgi/shop")
    monkeypatch.setattr(_run._identity, "of_workers", lambda: workers)
    monkeypatch.setattr(_run._examine, "examine", lambda *_arguments, **_options: [access])
    assert rollout._access_problem("blue") == told
