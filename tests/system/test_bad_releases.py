# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is no good does not go live, and harms no other."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from conftest import HELLO, on

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._registry import STACKS

# What is wrong with a release before it is started: its code, its keys, and what is said about it.
NEVER_STARTED = {
    "import": (
        "import flask_that_is_not_there\n",
        {},
        "import: entry_point app:application cannot be imported: ModuleNotFoundError: No module named",
    ),
    "callable": (
        "x = 1\n",
        {},
        "import: entry_point app:application cannot be imported: AttributeError: module 'app' has no attribute 'application'",
    ),
    "variable": (
        "import os\nos.environ['TOKEN_X']\n" + HELLO,
        {},
        "import: entry_point app:application cannot be imported: KeyError: 'TOKEN_X'",
    ),
    "requirement": (HELLO, {"packages": ["tinydb==999"]}, "install: "),
    "command": (
        HELLO + "\n",
        {"release_commands": ["echo no such table; exit 3"]},
        "release_commands: echo no such table; exit 3 ended with exit code 3: no such table",
    ),
    "python": (HELLO, {"python": "/bin/false"}, "python: "),
    "nginx": (
        HELLO,
        {"nginx_directives": ["proxy_pas nowhere;"]},
        'nginx: unknown directive "proxy_pas" in /etc/nginx/wsgi/nginx-app.conf:',
    ),
}

# What its server does with it; what is said by stack, in the order of STACKS, if that differs.
STARTED = {
    "status": (
        "def application(environ, start_response):\n    start_response('500 Oops', [])\n    return [b'Oops']\n",
        {"health_check": {"timeout": 5}},
        "failed its health check: GET /NAME/ returned 500 instead of 200 (after 5 s)",
    ),
    "redirect": (
        "def application(environ, respond):\n    respond('302 Found', [('Location', '/login?next=s3')])\n    return []\n",
        {},
        "failed its health check: GET /NAME/ returned 302 to /login instead of 200; set health_check.path to a page that",
    ),
    "raise": (
        "def application(environ, start_response):\n    raise RuntimeError('no such table')\n",
        {"health_check": {"timeout": 5}},
        "GET /NAME/ returned 500 instead of 200 (after 5 s); its log says: RuntimeError: no such table",
    ),
    "hang": (
        "import sys, time\nif {'uwsgi', 'gunicorn'} & {*sys.modules}:\n    time.sleep(600)\n" + HELLO,
        {"health_check": {"timeout": 5}},
        # The first request starts a vassal, and gunicorn loads the app in its workers.
        ("was not ready within 5 s (health_check.timeout)", *["failed its health check: no answer over /run/wsgi/NAME/"] * 2),
    ),
    "end": (
        "import sys\nif {'uwsgi', 'gunicorn'} & {*sys.modules}:\n    raise RuntimeError('no database')\n" + HELLO,
        {},
        "did not start: its server exited; its log says: RuntimeError: no database",
    ),
    "option": (
        HELLO,
        {"server_options": {"proceses": 3}},
        (
            *["unknown config directive: proceses; correct proceses in server_options; if a plugin has that option, set need-"]
            * 2,
            "its server exited; its log says: server_options.proceses: gunicorn ",
        ),
    ),
}


@on(13)
@pytest.mark.long
@pytest.mark.smoke
def test_bad_releases_harm_nobody_and_the_next_good_ones_go_out(server, hello, code):
    """Every kind of bad release at once, each of an app of its own, beside an app with a change that is good."""
    bad = {}
    for (kind, broken), stack in zip(NEVER_STARTED.items(), itertools.cycle(STACKS)):
        bad["nginx-app" if kind == "nginx" else kind] = (stack, *broken)
    for (kind, (text, keys, told)), (number, stack) in itertools.product(STARTED.items(), enumerate(STACKS)):
        name = f"{kind}-{stack.replace('_', '-')}"
        sentence = told if isinstance(told, str) else told[number]
        bad[name] = (stack, text, keys, sentence.replace("NAME", name))
    good = {
        name: {**hello, "name": name, "mount": f"/{name}", "source": code(HELLO, name), "processes": 1, "stack": stack}
        for name, (stack, *_broken) in bad.items()
    }
    neighbours = {
        stack: {**hello, "name": name, "source": code(HELLO, name), "mount": f"/{name}", "stack": stack}
        for stack in STACKS
        for name in [f"neighbour-{stack.replace('_', '-')}"]
    }
    server.need("hey")
    server.converge([*good.values(), *neighbours.values()])
    before = {name: server.get(f"/{name}/") for name in good}
    assert all(page.startswith("200 hello|") for page in before.values()), before

    with contextlib.ExitStack() as block:
        loads = [block.enter_context(server.load(f"/{name}/", 2)) for name in good if name.startswith("end-")]
        changed = [{**neighbour, "environment": {"GREETING": "changed"}} for neighbour in neighbours.values()]
        for name, (_stack, text, keys, _sentence) in bad.items():
            code(text, name)
            changed.append({**good[name], **keys})
        play = server.play(changed)

    assert play.code, play.output
    told = play.message.splitlines()
    assert len(told) == len(bad), play.message
    for name, (_stack, _text, _keys, sentence) in bad.items():
        (line,) = [line for line in told if line.startswith(f"app {name}: ")]
        assert sentence in line, line
    for load in loads:
        assert set(load) == {"200"}, load
        assert load["200"] > 3, load
    # The app that only broke nginx went out; its old site, and all else, serve as before.
    after = {name: server.get(f"/{name}/") for name in good if name != "nginx-app"}
    assert after == {name: before[name] for name in after}
    assert server.get("/nginx-app/").startswith("200 hello|")
    for neighbour in neighbours.values():
        assert server.get(f"{neighbour['mount']}/").startswith("200 changed|")

    for name in good:
        code(HELLO.replace('"hello"', '"good again"'), name)
    server.converge([*good.values(), *neighbours.values()])
    assert all(server.get(f"/{name}/").startswith("200 good again|") for name in good)
