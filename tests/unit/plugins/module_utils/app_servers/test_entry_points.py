# SPDX-License-Identifier: GPL-3.0-or-later
"""What an entry point may be, and what is said of one that is something else."""

from __future__ import annotations

import io
import sys

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _entry_points, _uwsgi

SHOP = """
import functools


class Flask:
    def __call__(self, environ, start_response):
        return [b"flask"]


def application(environ, start_response):
    return [b"function"]


def create_app(config=None, testing=False):
    return None if testing else application


def needs(root):
    return application


def late(environ, start_response):
    start_response("200 OK", [])
    raise KeyError("late")


def stream(environ, start_response):
    start_response("200 OK", [])
    for number in range(environ["parts"]):
        yield b"%d" % number
    raise KeyError("stream")


def wrapped(*args):
    return application(*args)


async def asgi(scope, receive, send):
    pass


def make_asgi():
    return asgi


class Starlette:
    async def __call__(self, scope, receive, send):
        pass


class Aio:
    def __call__(self):
        return self


aio = Aio()
prepared = functools.partial(needs, "/srv")


async def any_names(*arguments):
    pass


def double(scope):
    return asgi


def events(environ, start_response):
    return start_response("200 OK", [("Content-Type", "text/event-stream"), *environ["headers"]])


def address(environ, start_response):
    return environ["REMOTE_ADDR"]


def refuse(environ, start_response):
    if environ.get("fails"):
        raise KeyError("refuse")
    return environ["answer"]


starlette = Starlette()


def broken():
    raise KeyError("TOKEN")


app = Flask()
title = "shop"
"""


@pytest.mark.parametrize(
    ("text", "module", "names", "arguments"),
    [
        ("shop.wsgi:application", "shop.wsgi", "application", None),
        ("shop:Deep.app", "shop", "Deep.app", None),
        ("shop:create_app()", "shop", "create_app", ([], {})),
        ('pypiserver:app(root="/srv/a b", n=-1)', "pypiserver", "app", ([], {"root": "/srv/a b", "n": -1})),
        ("a:f('x', [1, {'k': (None, True)}])", "a", "f", (["x", [1, {"k": (None, True)}]], {})),
        ("my-site.py:app", "my-site.py", "app", None),
        ("./site.wsgi:app", "./site.wsgi", "app", None),
        ("deploy/my-site.py:make()", "deploy/my-site.py", "make", ([], {})),
    ],
)
def test_an_entry_point_is_read(text, module, names, arguments):
    found = _entry_points.parse(text)
    assert (found.module, found.names, found.arguments) == (module, names, arguments)


@pytest.mark.parametrize(
    "text",
    [
        "shop",
        "my-site:app",
        "../a.py:app",
        "a/../b.py:app",
        "/a.py:app",
        "a:f(g())",
        "a:f(x)",
        "a:f(**{'a': 1})",
        "a:f(*[1])",
        "a:f({1, 2})",
        "a:f(1e999)",
        "a:f(a=1, a=2)",
        "a:f()()",
        "a:f(); g()",
        "a:f(1).g",
        "a:f(",
        "a:f(" + "[" * 2000 + "]" * 2000 + ")",
    ],
)
def test_nothing_but_literals_is_read(text):
    with pytest.raises(ValueError, match=r"^module:callable, "):
        _entry_points.parse(text)


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads an entry point as a server does, in a directory with the files shop.py, my-shop.py and site.wsgi."""
    for name in ("shop.py", "my-shop.py", "site.wsgi"):
        (tmp_path / name).write_text(SHOP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(text, interface=None, wrapper=""):
        names = {}
        exec(compile(_entry_points.module_text(text, interface, wrapper), "entry_point.py", "exec", dont_inherit=True), names)
        return names["interface"], names["application"]

    before = set(sys.modules)
    yield run
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "answer", "module"),
    [
        ("shop:application", b"function", "shop"),
        ("shop:app", b"flask", "shop"),
        ("shop:wrapped", b"function", "shop"),
        ("shop:create_app()", b"function", "shop"),
        ("shop:needs('/srv')", b"function", "shop"),
        ("shop:needs(root='/srv')", b"function", "shop"),
        ("my-shop.py:app", b"flask", "my_shop"),
        ("./shop.py:app", b"flask", "shop"),
        ("./site.wsgi:app", b"flask", "entry_point_site"),
    ],
)
def test_an_application_is_loaded(load, text, answer, module):
    for wrapper in ("", _uwsgi.WRAPPER):
        interface, application = load(text, wrapper=wrapper)
        assert interface == "wsgi"
        assert application({}, None) == [answer]
    assert "title" in vars(sys.modules[module])


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("shop:create_app", "is a factory, which makes the application when it is called; write shop:create_app()"),
        ("shop:Flask", "is a factory, which makes the application when it is called; write shop:Flask()"),
        (
            "shop:needs",
            "takes (root), and a WSGI application takes environ and start_response, an ASGI application scope, receive and send;",
        ),
        (
            "shop:aio",
            "is an object of the class Aio of shop, which is neither a WSGI nor an ASGI application, so no stack can serve it",
        ),
        ("shop:prepared", "is a factory, which makes the application when it is called; write shop:prepared()"),
        ("shop:needs()", "takes (root); give it these arguments, as literals"),
        ("shop:app()", "is no factory: it takes (environ, start_response); write shop:app if it is the application"),
        ("shop:title", "is an object of the class str and cannot be called; name the WSGI or ASGI application in it"),
        ("os:path", "is the module posixpath and cannot be called; name the WSGI or ASGI application in it"),
        ("shop:create_app(testing=True)", "returned None instead of a WSGI or ASGI application; correct the factory"),
        ("shop:double", "is an application of ASGI 2; wrap it in asgiref.compatibility.guarantee_single_callable"),
        ("no-file.py:app", "names a file that does not exist in the app's directory; no-file.py is looked for in "),
    ],
)
def test_what_is_no_application_is_told(load, text, cause):
    with pytest.raises(Exception, match=r"^.") as refused:
        load(text)
    assert type(refused.value).__name__ == "EntryPointError"
    assert str(refused.value).startswith(cause)


@pytest.mark.parametrize("text", ["shop:asgi", "shop:make_asgi()", "shop:starlette", "shop:any_names"])
def test_an_asgi_application_is_known_as_such_and_left_alone(load, text):
    interface, application = load(text)
    assert interface == "asgi"
    assert application in vars(sys.modules["shop"]).values()


def test_what_an_application_does_not_show_can_be_said(load):
    assert load("shop:wrapped", "asgi")[0] == "asgi"
    assert load("shop:needs", "asgi")[0] == "asgi"
    assert load("shop:asgi", "wsgi")[0] == "wsgi"


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [([], [("X-Accel-Buffering", "no")]), ([("x-accel-buffering", "yes")], [("x-accel-buffering", "yes")])],
)
def test_server_sent_events_are_passed_on_at_once(load, headers, wanted):
    _interface, application = load("shop:events")
    got = application({"headers": headers}, lambda _status, found, *_rest: found)
    assert got == [("Content-Type", "text/event-stream"), *wanted]


def test_the_clients_address_is_where_wsgi_has_it(load):
    _interface, application = load("shop:address")
    assert application({"REMOTE_ADDR": "", "HTTP_X_REAL_IP": "192.0.2.1"}, None) == "192.0.2.1"
    assert application({"REMOTE_ADDR": "192.0.2.2", "HTTP_X_REAL_IP": "192.0.2.1"}, None) == "192.0.2.2"
    assert application({}, None) == "127.0.0.1"


class Answer(list):
    closed = False

    def close(self):
        self.closed = True


def test_a_request_that_the_application_left_is_read_after_its_answer(load):
    _interface, application = load("shop:refuse")
    body, answer = io.BytesIO(b"x" * 200_000), Answer([b"a", b"b"])
    parts = iter(application({"answer": answer, "CONTENT_LENGTH": "200000", "wsgi.input": body}, None))
    assert (next(parts), body.tell()) == (b"a", 0)
    assert list(parts) == [b"b"]
    assert (body.tell(), answer.closed) == (200_000, True)


def test_it_is_read_if_the_application_fails(load):
    _interface, application = load("shop:refuse")
    body = io.BytesIO(b"xy")
    with pytest.raises(KeyError, match="refuse"):
        application({"fails": True, "CONTENT_LENGTH": "2", "wsgi.input": body}, None)
    assert body.tell() == 2


@pytest.mark.parametrize("length", ["", "0"])
def test_a_request_without_a_body_has_the_applications_own_answer(load, length):
    _interface, application = load("shop:refuse")
    answer = [b"a"]
    assert application({"answer": answer, "CONTENT_LENGTH": length}, None) is answer


def test_a_file_is_left_to_the_server(load, tmp_path):
    _interface, application = load("shop:refuse")
    with (tmp_path / "page").open("wb+") as answer:
        assert application({"answer": answer, "CONTENT_LENGTH": "1", "wsgi.input": io.BytesIO(b"x")}, None) is answer


def test_an_error_of_the_app_is_its_own(load):
    with pytest.raises(KeyError, match="TOKEN"):
        load("shop:broken()")


class Response:
    """What a server is told: the statuses, and what was written, after which the headers are sent."""

    def __init__(self):
        self.statuses, self.body = [], []

    def start(self, status, headers):
        if self.body:
            raise OSError("headers already sent")
        self.statuses.append(status)
        return self.body.append


@pytest.mark.parametrize(
    ("entry_point", "parts", "status", "body"),
    [
        ("shop:late", 0, "500 Internal Server Error", [b"Internal Server Error"]),
        ("shop:stream", 0, "500 Internal Server Error", [b"Internal Server Error"]),
        ("shop:stream", 2, "200 OK", [b"0", b"1"]),
    ],
)
def test_an_application_that_fails_before_it_sends_anything_answers_500(load, entry_point, parts, status, body):
    response = Response()
    _interface, application = load(entry_point, wrapper=_uwsgi.WRAPPER)
    with pytest.raises(KeyError):
        response.body.extend(application({"parts": parts}, response.start))
    assert (response.statuses[-1], response.body) == (status, body)


def test_an_application_that_fails_after_it_has_sent_something_is_left_alone(load):
    response = Response()
    response.body.append(b"sent")
    _interface, application = load("shop:late", wrapper=_uwsgi.WRAPPER)
    with pytest.raises(OSError, match="already sent"):
        application({}, response.start)
    assert response.body == [b"sent"]
