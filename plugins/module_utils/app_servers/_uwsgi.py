# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What is particular to uWSGI: its configuration, and the plugin that fits an interpreter."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _entry_points, _loader
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._imported import Imported
from ansible_collections.wsgi.stack.plugins.module_utils.host import _packages

CONFIGURATION = "uwsgi.ini"

WRAPPER = _loader.with_error_status.__name__
"""See ``_entry_points.module_text``."""

PROGRAM = "/usr/bin/uwsgi"
"""The distribution's uWSGI; Python support comes to it as a plugin."""

ORIGINS = ("distribution", "venv")
"""Where an app's uWSGI can come from: a package of the distribution, or a requirement in the app's own build."""

HEADERS = ("sys/capability.h", "pcre2.h", "openssl/*", "uuid/*", "zlib.h")
"""The headers that uWSGI's own build uses if they are there, as ``host._packages.HEADERS`` has them."""

COMPILER = ("gcc", "libc6-dev")

OWN_OPTIONS = frozenset(
    "callable chdir chmod-socket chown-socket daemonize daemonize2 die-on-idle die-on-term eval file gid home"
    " hook-master-start ini manage-script-name master master-fifo module mount need-app need-plugin paste plugin plugins"
    " processes  protocol pyhome strict threads uid vacuum venv virtualenv workers wsgi wsgi-file".split()
)
"""The options that this collection sets, and that the rollout relies on."""

ADD_PLUGIN = "set need-plugins, and add its Debian package, if uwsgi-core does not have it, to system_packages"

INSTEAD = dict.fromkeys(("need-plugin", "plugin", "plugins"), f"for another plugin than Python's, {ADD_PLUGIN}.")
"""What to do instead of setting one of them, where that is not to do without."""

BINDING_OPTIONS = frozenset(
    "cache-udp-server emperor-stats emperor-stats-server fastcgi-nph-socket fastcgi-socket fastrouter fastrouter-ss"
    " fastrouter-stats fastrouter-stats-server fastrouter-subscription-server forkptyrouter-ss forkptyrouter-stats"
    " forkptyrouter-stats-server http http-socket http-ss http-stats http-stats-server http-subscription-server"
    " http11-socket httprouter https https-socket https2 mongrel2 notify-socket pty-socket puwsgi-socket raw-socket"
    " rawrouter rawrouter-ss rawrouter-stats rawrouter-stats-server rawrouter-subscription-server scgi-nph-socket"
    " scgi-socket setns-socket shared-socket snmp socket ssl-socket sslrouter sslrouter-ss sslrouter-stats"
    " sslrouter-stats-server sslrouter-subscription-server sslrouter2 stats stats-server subscription-notify-socket"
    " suwsgi-socket tuntap-router tuntap-router-stats udp undeferred-shared-socket uwsgi-socket zerg-server"
    " zeromq-socket".split()
)
"""The options by which a server opens another socket than its slot's, which it could only do while no other slot runs."""

UNKNOWN_OPTION = re.compile(r"\[strict-mode\] unknown config directive: (\S+)$")
"""What uWSGI prints before it ends because of an option that neither it nor a plugin has."""

INCLUDING_OPTIONS = frozenset("config include inherit inherit-template json sqlite3 xml yaml yml".split())
"""The options by which a server reads further options from a file."""


def of_venv(app: App) -> bool:
    """Whether the app's server is a uWSGI of its own build."""
    return app["uwsgi_install_from"] == "venv"


def program(app: App, build: Mapping[str, Any]) -> str:
    """The uWSGI that serves a build."""
    return f"{build['path']}/venv/bin/uwsgi" if of_venv(app) else PROGRAM


def plugin(app: App, build: Mapping[str, Any]) -> str | None:
    """The uWSGI plugin that a release needs; None with a uWSGI of the app's own build, which has its Python inside."""
    return None if of_venv(app) else plugin_name(build["python"])


def requirements(app: App) -> list[str]:
    """What the app's build has to contain for its server. A version can be set in the app's own requirements."""
    return ["uwsgi"] if of_venv(app) else []


def build_packages(app: App) -> list[str]:
    """The Debian packages that installing ``requirements`` takes where no index has a wheel, which is the rule.

    The headers of a Python that is not the distribution's are where its installation put them.
    """
    if not of_venv(app):
        return []
    python = re.fullmatch(r"(?:/usr/bin/)?(python3(?:\.\d+)?)", app["python"])
    return [*COMPILER, *(_packages.HEADERS[header] for header in HEADERS), *([f"lib{python[1]}-dev"] if python else [])]


def linker_flags(python: Mapping[str, Any]) -> str:
    """What makes a program or plugin that is linked with an interpreter's libpython find that one, and no other of its name.

    An interpreter that was moved does not know itself where its library lies, and Debian's sources of plugins set no RUNPATH.

    :returns: nothing for a library in the system's own directories, where the loader looks anyway, or without one
    """
    directory = os.path.dirname(python["library"])
    system = not directory or directory.startswith(("/usr/lib", "/lib"))
    return "" if system else f"-L{directory} -Wl,-rpath,{directory}"


def plugin_name(python: Mapping[str, Any]) -> str:
    """The name of the uWSGI plugin for an interpreter, as Debian names its own: ``python311`` for /usr/bin/python3.11.

    An interpreter that another plugin would not do for has another name: ``python313t`` without the GIL, ``python311d`` with
    debugging, ``pypy39``; and one that lies elsewhere has its place in it, ``python312_opt_python`` for
    ``/opt/python/bin/python3.12``, because a host can have several of one version, each with a libpython of its own. uWSGI looks
    for a symbol of that name, so it is one word in C.

    :param python: see ``build._interpreter.probe``
    """
    major, minor = python["version"].split(".")[:2]
    implementation = "python" if python["implementation"] == "CPython" else python["implementation"].lower()
    flags = ("" if python["gil"] else "t") + ("d" if python["debug"] else "")
    place = "" if python["prefix"] == "/usr" else "_" + re.sub(r"\W+", "_", python["prefix"].strip("/"), flags=re.ASCII)
    return f"{implementation}{major}{minor}{flags}{place}"


def start(app: App, build: Mapping[str, Any], release: str) -> list[str]:
    """The lines of a release's ``serve`` that end in its server; ``$1`` is the slot. uWSGI finds the socket that it is handed.

    :param release: the release's directory
    """
    loader = f"{release}/{_entry_points.FILE}"
    # With manage-script-name uWSGI itself splits the path in SCRIPT_NAME and PATH_INFO; nginx leaves it alone.
    application = f"--wsgi-file {loader}" if app["mount"] == "/" else f"--mount {app['mount']}={loader} --manage-script-name"
    return [f"exec {release}/run {program(app, build)} --ini {release}/{CONFIGURATION} {application}"]


def launcher(app: App) -> str | None:
    """The program of a release that starts ``serve`` as root: none, since the process managers have a sandbox."""
    return None


def refusal(app: App, imported: Imported) -> str:
    """Why uWSGI cannot serve an application, and what to do; "" if it can. Pure."""
    if imported.interface == "wsgi":
        return ""
    return "is an ASGI application, and uWSGI serves WSGI only; set stack: gunicorn_supervisor, or name a WSGI application"


def advice(line: str) -> str:
    """What to do about the line of its log by which a server ended; "" if only the line can say that. Pure."""
    found = UNKNOWN_OPTION.search(line)
    if not found:
        return ""
    return f"correct {found[1]} in server_options; if a plugin has that option, {ADD_PLUGIN}"


def loads_before_fork(app: App) -> bool:
    """Whether uWSGI loads an app before it forks, unless the user's options decide: fast, but threads do not survive a fork."""
    return not {"lazy", "lazy-apps"} & app["server_options"].keys()


def workers(app: App, host: Mapping[str, int]) -> int:
    """How many processes of a slot answer requests once it has started."""
    options = app["server_options"]
    if any(options.get(name) for name in ("cheap", "thunder-lock")):
        return 1  # those that are not there yet; those that wait for the one that has the lock
    wanted = options.get("cheaper-initial") or options.get("cheaper") or 0
    cheaper = int(wanted) if re.fullmatch("[0-9]{1,9}", str(wanted)) else 0
    processes = app["processes"] or max(2, host["processors"])
    return min(cheaper or processes, processes)


def configuration(app: App, build: dict[str, Any], host: Mapping[str, int], imported: Imported) -> str:
    """The configuration of one release, without the socket, which belongs to the slot.

    :param app: a resolved app
    :param build: ``path`` and ``python`` of its build
    :param host: ``processors``, how many it has; ``backlog``, the longest listen queue that its kernel allows
        (net.core.somaxconn): with a longer one uWSGI does not start
    :param imported: what is known of its import
    """
    options: dict[str, Any] = {
        "strict": True,
        "need-plugin": plugin(app, build) or False,
        "virtualenv": f"{build['path']}/venv",
        "chdir": _layout.working_directory(app, build),
        "need-app": True,
        "single-interpreter": True,
        "master": True,
        "processes": app["processes"] or max(2, host["processors"]),
        "threads": app["threads"],
        "enable-threads": True,  # with one thread, too: those that the app starts would stand still between requests
        **({"lazy-apps": True} if imported.threads and loads_before_fork(app) else {}),
        "listen": min(1024, host["backlog"]),
        # As much as the protocol can carry, so that nginx is the one that refuses a request with too many or too long headers:
        # uWSGI would close the connection, a 502. Memory that no request needs is never touched.
        "buffer-size": 65535,
        "max-vars": 4096,
        **({"idle": app["idle"], "die-on-idle": True} if app["idle"] else {}),
        # SIGTERM ends the requests in flight first; die-on-term would swap the signals' meaning.
        "hook-master-start": "unix_signal:15 gracefully_kill_them_all",
        "worker-reload-mercy": app["drain_timeout"],
        "disable-logging": True,
        "log-5xx": True,
    }
    options.update(app["server_options"])
    lines = [line for name, value in options.items() for line in _lines(name, value)]
    return "\n".join(["# Managed by wsgi.stack: a release is never changed, a new one is made.", "[uwsgi]", *lines, ""])


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [line for item in value for line in _lines(name, item)]
    if value is False:
        return []
    # As it reads the file, uWSGI replaces a % and what follows: %% by a %, and %( by itself, which log-format is made of.
    text = re.sub(r"%(?!\()", "%%", str(value))
    return [f"{name} = {'true' if value is True else text}"]
