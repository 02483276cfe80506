# SPDX-License-Identifier: GPL-3.0-or-later
"""Factories, files whose names are no modules', and what an import does that a server's workers have to live with."""

from __future__ import annotations

import time

from conftest import on

STACKS = ("uwsgi", "uwsgi_emperor", "gunicorn_supervisor")

# Counts in a thread of the import; and, if it is told to, has all workers but one wait for ever.
SITE = """
import fcntl, os, threading, time

beats, locks = [], []

def beat():
    while True:
        beats.append(1)
        time.sleep(0.01)

threading.Thread(target=beat, name="beat", daemon=True).start()

def create_app(name, *, words=()):
    def application(environ, start_response):
        if "greedy" in words and not locks:
            locks.append(os.open(os.environ["WSGI_SHARED"] + "/lock", os.O_CREAT | os.O_RDWR))
            fcntl.flock(locks[0], fcntl.LOCK_EX)
        start_response("200 OK", [("Content-Type", "text/plain")])
        if "late" in words:
            raise ValueError("late")
        return [f"{name} {[*words]} {environ.get('SCRIPT_NAME', '')} {len(beats)}".encode()]

    return application

app = create_app("plain")
"""


def beats(server, domain, path="/"):
    """What an app answers without the number of its beats, and that number."""
    words, number = server.get(path, domain).rsplit(" ", 1)
    return words, int(number)


@on(13)
def test_an_entry_point_of_any_kind_under_each_stack(server, tmp_path):
    (tmp_path / "my-site.py").write_text(SITE)
    (tmp_path / "site_app.py").write_text(SITE)
    common = {"source": {"directory": str(tmp_path)}, "processes": 1, "threads": 1, "drain_timeout": 3}
    kinds = {
        "factory": {"entry_point": "site_app:create_app('it\\'s \"me\"', words=[1, None])", "processes": 2},
        "file": {"entry_point": "my-site.py:app", "mount": "/my"},
    }
    apps = [
        {**common, **keys, "name": f"{kind}{place}", "domains": [f"{kind}{place}.test"], "stack": stack}
        for place, stack in enumerate(STACKS)
        for kind, keys in kinds.items()
    ]
    play = server.converge(apps)
    lazy = [app["name"] for app in apps if app["stack"] != "gunicorn_supervisor"]
    for app in apps:
        warned = f"app {app['name']}: importing {app['entry_point']} starts threads (beat)" in " ".join(play.output.split())
        assert warned == (app["name"] in lazy), (app["name"], play.output)
    for place in range(len(STACKS)):
        assert beats(server, f"factory{place}.test")[0] == '200 it\'s "me" [1, None] '
        words, number = beats(server, f"file{place}.test", "/my/")
        time.sleep(0.3)
        assert words == "200 plain [] /my"
        assert beats(server, f"file{place}.test", "/my/")[1] > number
    assert server.converge(apps).changed == []

    # What raises once it has answered, what cannot be served, and workers that hang where one answers.
    for wrong in (
        {
            "site_app:create_app('x', words=['late'])": "GET / returned 500 instead of 200",
            "site_app:create_app": "takes (name, *, words=()), and a WSGI application takes environ and start_response",
            "site_app:create_app()": "takes (name, *, words=()); give it these arguments, as literals",
        },
        {f"site_app:create_app('{stack}', words=['greedy'])": " of 2 workers answered: no answer over " for stack in STACKS},
    ):
        changed = [
            {**app, "entry_point": entry_point, "processes": 2, "health_check": {"timeout": 4}}
            for app, entry_point in zip(apps[::2], wrong)
        ]
        play = server.play([*changed, *apps[1::2]])
        assert play.code != 0
        for app in changed:
            (line,) = [line for line in play.message.splitlines() if line.startswith(f"app {app['name']}: ")]
            assert wrong[app["entry_point"]] in line, play.message
    for place in range(len(STACKS)):
        assert beats(server, f"factory{place}.test")[0] == '200 it\'s "me" [1, None] '
