# SPDX-License-Identifier: GPL-3.0-or-later
"""What an entry point may be, and what is said of one that is something else."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _entry_points

SHOP = """
class Flask:
    def __call__(self, environ, start_response):
        return [b"flask"]


def application(environ, start_response):
    return [b"function"]


def create_app(config=None, testing=False):
    return None if testing else application


def needs(root):
    return application


def wrapped(*args):
    return application(*args)


async def asgi(scope, receive, send):
    pass


def make_asgi():
    return asgi


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

    def run(text):
        names = {}
        exec(compile(_entry_points.module_text(text), "entry_point.py", "exec", dont_inherit=True), names)
        return names["application"]

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
    assert load(text)({}, None) == [answer]
    assert "title" in vars(sys.modules[module])


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("shop:create_app", "is a factory, which makes the application when it is called; write shop:create_app()"),
        ("shop:Flask", "is a factory, which makes the application when it is called; write shop:Flask()"),
        (
            "shop:needs",
            "takes (root), and a WSGI application takes environ and start_response; if it is a factory, write shop:needs(...)",
        ),
        ("shop:needs()", "takes (root); give it these arguments, as literals"),
        ("shop:app()", "is no factory: it takes (environ, start_response); write shop:app if it is the application"),
        ("shop:title", "is an object of the class str and cannot be called; name the WSGI application in it"),
        ("os:path", "is the module posixpath and cannot be called; name the WSGI application in it"),
        ("shop:create_app(testing=True)", "returned None instead of a WSGI application; correct the factory"),
        ("shop:asgi", "is an ASGI application, and this app server serves WSGI; name a WSGI application"),
        ("shop:make_asgi()", "returned an ASGI application, and this app server serves WSGI; name a WSGI application"),
        ("no-file.py:app", "names a file that does not exist in the app's directory; no-file.py is looked for in "),
    ],
)
def test_what_is_no_application_is_told(load, text, cause):
    with pytest.raises(Exception, match=r"^.") as refused:
        load(text)
    assert type(refused.value).__name__ == "EntryPointError"
    assert str(refused.value).startswith(cause)


def test_an_error_of_the_app_is_its_own(load):
    with pytest.raises(KeyError, match="TOKEN"):
        load("shop:broken()")
