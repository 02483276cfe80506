# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Loads the application of a release: the text of this file is the first part of every release's entry_point.py.

The file stands alone. Every app server and the import check load the application in this way.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Generator, Iterable
from types import GeneratorType, ModuleType
from typing import Any

WSGI = (None, None)
"""As many arguments as WSGI has."""

ASGI = ("scope", "receive", "send")
"""The arguments of ASGI."""


class EntryPointError(Exception):
    """The entry point names nothing that can be served. The text continues a sentence that begins with the entry point."""


def load(
    module: str, names: str, arguments: tuple[list[Any], dict[str, Any]] | None, interface: str | None
) -> tuple[str, Callable[..., Any]]:
    """The interface of the application, ``wsgi`` or ``asgi``, and the application.

    :param module: the name of a module, or the path of a file below the working directory
    :param names: what to look up in it, with dots
    :param arguments: those to call it with, if it is a factory
    :param interface: that of the application; found out if not given
    :raises EntryPointError: there is something else
    """
    found: Any = from_file(module) if is_file(module) else importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    written = f"{module}:{names}"
    if arguments is None:
        refuse_other_than_applications(found, written, interface)
    else:
        refuse_arguments(found, arguments, written)
        found = found(*arguments[0], **arguments[1])
        if not callable(found) or not (interface or is_asgi(found) or accepts(found, WSGI)):
            raise EntryPointError(f"returned {described(found)} instead of a WSGI or ASGI application; correct the factory")
    interface = interface or ("asgi" if is_asgi(found) else "wsgi")
    return interface, behind_nginx(found) if interface == "wsgi" else found


def with_error_status(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The application, which answers 500 if it fails before it has sent anything, as PEP 3333 asks of servers.

    uWSGI would send the status that start_response was given before, such as 200, with an empty page, and without a status close
    the connection, a 502. It logs and counts the exception, as always.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            answered = application(environ, start_response)
            return resumed(next(answered, b""), answered) if isinstance(answered, GeneratorType) else answered
        except Exception:
            page = b"Internal Server Error"
            headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(page)))]
            with contextlib.suppress(Exception):  # the headers were sent
                # Without exc_info, with which uWSGI fails itself.
                start_response("500 Internal Server Error", headers)(page)
            raise

    return answer


def resumed(first: bytes, rest: Generator[bytes, None, None]) -> Iterable[bytes]:
    """A generator that was asked for its first value already."""
    with contextlib.closing(rest):
        yield first
        yield from rest


def is_file(module: str) -> bool:
    """Whether an entry point names a file instead of a module."""
    return "/" in module or module.endswith(".py")


def from_file(path: str) -> ModuleType:
    """Import a file, whatever its name is. Others can import it, too, unless its name is that of another module."""
    if not os.path.isfile(path):
        raise EntryPointError(f"names a file that does not exist in the app's directory; {path} is looked for in {os.getcwd()}")
    name = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0])
    if name in sys.modules or not is_own(name, path):
        name = f"entry_point_{name}"
    path = os.path.abspath(path)
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.machinery.ModuleSpec(name, loader, origin=path)
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def is_own(name: str, path: str) -> bool:
    """Whether no other file than this one is imported by a name."""
    spec = importlib.util.find_spec(name)
    return spec is None or (spec.origin is not None and os.path.realpath(spec.origin) == os.path.realpath(path))


def refuse_other_than_applications(found: Any, written: str, interface: str | None) -> None:
    """Make sure that what was found can be called as an application is, and is not what makes one."""
    if not callable(found):
        raise EntryPointError(f"is {described(found)} and cannot be called; name the WSGI or ASGI application in it")
    if is_asgi(found):
        return
    if looks_like_factory(found):
        if not (inspect.isroutine(found) or inspect.isclass(found) or isinstance(found, functools.partial)):
            what = f"{described(found)} of {type(found).__module__}"
            raise EntryPointError(f"is {what}, which is neither a WSGI nor an ASGI application, so no stack can serve it")
        raise EntryPointError(f"is a factory, which makes the application when it is called; write {written}()")
    signature = signature_of(found)
    if signature is not None and [*signature.parameters] == ["scope"]:
        raise EntryPointError("is an application of ASGI 2; wrap it in asgiref.compatibility.guarantee_single_callable")
    if not interface and not accepts(found, WSGI):
        raise EntryPointError(
            f"takes {parameters(found)}, and a WSGI application takes environ and start_response, an ASGI application scope,"
            f" receive and send; if it is a factory, write {written}(...) with its arguments"
        )


def refuse_arguments(found: Any, arguments: tuple[list[Any], dict[str, Any]], written: str) -> None:
    """Make sure that what was found can be called with these arguments, so that an error in it is its own."""
    if not callable(found):
        raise EntryPointError(f"is {described(found)} and cannot be called; write {written}")
    if not accepts(found, *arguments):
        if accepts(found, WSGI) and not looks_like_factory(found) and not any(arguments):
            raise EntryPointError(f"is no factory: it takes {parameters(found)}; write {written} if it is the application")
        raise EntryPointError(f"takes {parameters(found)}; give it these arguments, as literals")


def is_asgi(found: Any) -> bool:
    """Whether a callable has the parameters of an ASGI application, or is a coroutine that takes as many, which WSGI has not."""
    signature = signature_of(found) if callable(found) else None
    if signature is None:
        return False
    if [*signature.parameters][:3] == [*ASGI]:
        return True
    return any(map(inspect.iscoroutinefunction, (found, type(found).__call__))) and accepts(found, ASGI)


def behind_nginx(application: Callable[..., Any]) -> Callable[..., Any]:
    """A WSGI application with the client's address, with server-sent events that nginx passes on at once, and with refusals that
    arrive.

    Over a unix socket gunicorn knows no address, and nginx tells it; what asks without nginx is on this host. A response waits
    until nginx's buffers are full, unless it has the header X-Accel-Buffering, which visitors do not get. An upload that an app
    refuses without reading it is read in its place: if the server closes the socket while nginx sends, nginx answers 502.
    """

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            for name, value in headers:
                if name.lower() == "content-type":
                    headers = unbuffered(headers) if value.lower().startswith("text/event-stream") else headers
                    break
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        if not environ.get("REMOTE_ADDR"):
            environ["REMOTE_ADDR"] = environ.get("HTTP_X_REAL_IP", "127.0.0.1")
        if environ.get("CONTENT_LENGTH") in (None, "", "0"):
            return application(environ, start)
        try:
            answered = application(environ, start)
        except Exception:
            read_to_the_end(environ["wsgi.input"])
            raise
        # A server knows a file, and sends it by itself.
        return answered if hasattr(answered, "fileno") else with_all_read(answered, environ["wsgi.input"])

    return serve


def unbuffered(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of a response that nginx passes on as it comes, unless they say themselves what it does."""
    given = {name.lower() for name, _value in headers}
    return headers if "x-accel-buffering" in given else [*headers, ("X-Accel-Buffering", "no")]


def with_all_read(answered: Iterable[bytes], body: Any) -> Iterable[bytes]:
    """A response, after which what the application has left of the request is read."""
    try:
        yield from answered
    finally:
        read_to_the_end(body)
        if hasattr(answered, "close"):
            answered.close()


def read_to_the_end(body: Any) -> None:
    """Read what is left of a request, which nginx has received as a whole before it sends any of it."""
    with contextlib.suppress(Exception):  # the client is gone
        while body.read(65536):
            pass


def looks_like_factory(found: Any) -> bool:
    """Whether a callable needs no argument, as create_app(config=None): an application is given two."""
    signature = signature_of(found)
    if signature is None or not accepts(found, ()):
        return False
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    first = next(iter(signature.parameters), "")
    return inspect.Parameter.VAR_POSITIONAL not in kinds and not first.startswith("env")


def accepts(found: Any, positional: Any, named: dict[str, Any] | None = None) -> bool:
    """Whether a callable takes arguments; also if it does not say."""
    signature = signature_of(found)
    if signature is None:
        return True
    try:
        signature.bind(*positional, **(named or {}))
    except TypeError:
        return False
    return True


def parameters(found: Any) -> str:
    """The parameters of a callable, as its definition writes them."""
    return str(signature_of(found)).partition(" -> ")[0][:200]


def signature_of(found: Any) -> inspect.Signature | None:
    """The parameters of a callable, None if they are not known, as of those in C. A proxy may raise anything."""
    try:
        return inspect.signature(found)
    except Exception:
        return None


def described(found: Any) -> str:
    """What an object is, in words."""
    if inspect.ismodule(found):
        return f"the module {found.__name__}"
    return "None" if found is None else f"an object of the class {type(found).__name__}"
