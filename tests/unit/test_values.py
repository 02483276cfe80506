# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the schema accepts arrives as it was written: in the files of uWSGI, gunicorn, nginx, supervisor and systemd, and in
the environment. Everything else is refused in one sentence with the app and the key. The values are made by hypothesis.
"""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jinja2
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from ansible_collections.wsgi.stack.plugins.filter import bind_files
from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._errors import InventoryError
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _create
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _entry_points, _gunicorn, _registry, _uwsgi
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers._imported import Imported, presumed
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _dotenv, _resolve, _schema
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _files, _syntax
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _options, _supervisor, _supervisor_files
from ansible_collections.wsgi.stack.plugins.module_utils.release import _make

ROOT = Path(__file__).resolve().parents[2]
SH = shutil.which("dash") or "/bin/sh"
HOST = {"processors": 2, "backlog": 4096}
PYTHON = {"version": "3.11.2", "implementation": "CPython", "gil": True, "debug": False, "prefix": "/usr"}

set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "wsgi-stack-hypothesis"))  # it writes nothing beside the tests


def generated(examples):
    """The same examples in every run and in every process, and no file of them."""
    return settings(
        derandomize=True, database=None, deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck)
    )


# What is special somewhere: to a shell, uWSGI, nginx, supervisor, systemd, Jinja, a terminal, or to whatever reads UTF-8.
SPECIAL = [*"$%@(){}[]<>\"'`\\/;:#=~!*?&|^,.+- \t\n\r\0\x0b\x0c\x1b\x7f\x85\x9b\u2028\ufeff\xe9\u0663\U0001f40d\ud800\udcff"]
PIECES = [
    *("$(id)", "$x", "${x}", "%(home)s", "%(x)", "%%", "%n", "%d", "@(/etc/passwd)", "`id`", "{{ x }}", "{% raw %}", "{# x"),
    *("[uwsgi]", "\n[uwsgi]", "; exec = id", "# x", "}\nserver {", "\\n", "\\\n", "''", '""', "' ;", "-rf", "\r\n", " = "),
    *("../", "aZ", "0"),
]
TEXT = st.lists(st.sampled_from([*SPECIAL, *PIECES]) | st.characters(), max_size=6).map("".join)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=3) | TEXT
ANYTHING = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)

TEXTS = {
    "name": st.from_regex(_resolve.NAME, fullmatch=True) | st.sampled_from(["a-", "blue", "systemd-x"]),
    "entry_point": st.sampled_from(["shop:app", "a.b:c.d", "\xe9:\xe9", "./a.wsgi:app", "a-b.py:f(1, b={'c': ['d']})"])
    | TEXT.map("shop:app({})".format)
    | ANYTHING.map("shop:app(a={!r})".format)
    | TEXT.map("{}.py:app".format),
    "domains": st.lists(st.sampled_from(["a.test", "*.a.test", "b.test", "x"]) | TEXT, max_size=2),
    "mount": st.sampled_from(["/", "/shop", "/a/b~c", "/...", "/.."]),
    "bind": st.sampled_from(["127.0.0.1:8004", "[::1]:65535", "127.0.0.1:65536", "127.0.0.1:99999"]),
    "client_max_body_size": st.sampled_from(["0", 0, "10m", "1" * 30 + "g"]),
    "working_directory": TEXT.map("a{0}/b{0}c".format),
    "python": st.sampled_from(["python3.9", "/opt/py thon/bin/python", "-c", "a/b", "/"]),
    "writable_paths": st.lists(
        TEXT.map("/mnt/a{0}/b{0}".format) | st.sampled_from(["/mnt/data", "/a/../b", "/", "/."]), max_size=2
    ),
    "system_packages": st.lists(st.sampled_from(["g++", "libpq-dev", "sudo-", "a=1:2~3"]), max_size=2),
}
"""Values of some keys that may well be accepted, beside those that hardly can be."""

KEYS = st.sampled_from(sorted(_resolve.APP)).flatmap(lambda key: st.tuples(st.just(key), TEXTS.get(key, ANYTHING) | ANYTHING))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The root of the apps on the disk."""
    return tmp_path_factory.mktemp("apps")


def attempt(work):
    """What a function returns, and the message of the mistake that it finds; nothing else may come out of it."""
    try:
        return work(), ""
    except (InventoryError, ValueError) as error:
        if type(error) not in (InventoryError, ValueError):
            raise
        return None, str(error)


def resolve(stack, keys, root="/srv/wsgi"):
    """An app with some keys, or None if they are refused."""
    entry = {"name": "shop", "source": {"package": "shop"}, "entry_point": "shop:app", "stack": stack, **keys}
    apps, cause = attempt(lambda: _resolve.resolve([entry], directory=str(root)))
    if apps:
        return apps[0]
    assert cause.startswith(("app ", "the app at place 1 of wsgi_apps: ")), cause
    assert any(key in cause or repr(key) in cause for key in keys), cause
    assert not _schema.CONTROL.search(cause), cause
    assert len(cause) < 1000, cause
    return None


def build_of(app):
    return {"path": _layout.of(app).build("0123456789abcdef"), "digest": "0123456789abcdef", "python": PYTHON}


# uWSGI's file, as ini_get_line() and its neighbours in core/ini.c and magic_sub() in core/utils.c read it.


def read_ini(text, name="uwsgi.ini"):
    """The options of the section ``uwsgi``, in their order, as uWSGI has them before it looks for %(x), $(x) and @(x) in them."""
    magic = {"%": "%", "(": "%(", "n": name.rpartition(".")[0], "d": "/", "p": name, "s": name}
    text = re.sub(r"%(.)", lambda found: magic.get(found[1], ""), text, flags=re.DOTALL)
    found, section = [], ""
    for line in text.split("\n"):
        key = line.strip(" \t\r")
        if key.startswith("["):
            section = key[1:-1]
        elif key and key[0] not in ";#" and section == "uwsgi":
            option, _equals, value = key.partition("=")
            found.append((option.rstrip(" \t\r"), value.strip(" \t\r")))
    return found


def written(name, value):
    """An option as it has to arrive."""
    if isinstance(value, list):
        return [pair for item in value for pair in written(name, item)]
    return [] if value is False else [(name, "true" if value is True else str(value))]


def check_uwsgi(app):
    build = build_of(app)
    found = read_ini(_uwsgi.configuration(app, build, HOST, presumed(app)))
    values = dict(found)
    plain = [{}, {"mount": "/x"}, {"idle": 1} if app["stack"] == "uwsgi_emperor" else {}]
    texts = [_uwsgi.configuration(resolve(app["stack"], keys), build, HOST, Imported()) for keys in plain]
    own = [name for text in texts for name, _value in read_ini(text)]
    assert {name for name, _value in found} <= {*own, *app["server_options"]}
    assert values["chdir"] == _layout.working_directory(app, build)
    check_entry_point(app)
    wanted = [pair for name, value in app["server_options"].items() for pair in written(name, value)]
    assert [pair for pair in found if pair[0] in app["server_options"]] == wanted
    # Nothing of the collection's own is expanded; in server_options there is %(x), which log-format is made of.
    assert not any(re.search(r"[%$@]\(", value) for name, value in found if name not in app["server_options"])
    assert not any(re.search(r"[$@]\(", value) for _name, value in found)


def check_entry_point(app):
    """Nothing but values may be in the last line of what an app's user runs, and they are what stands in the entry point."""
    tree = ast.parse(_entry_points.module_text(app["entry_point"]))
    module, names, arguments, _interface = (ast.literal_eval(argument) for argument in tree.body[-1].value.args)
    assert [type(node) for node in tree.body] == [type(node) for node in ast.parse(_entry_points.module_text("a:b")).body]
    assert app["entry_point"].startswith(f"{module}:{names}")
    rest = app["entry_point"][len(f"{module}:{names}") :]
    if arguments is None:
        assert rest == ""
    else:
        call = ast.parse(f"f{rest}", mode="eval").body
        assert arguments[0] == [ast.literal_eval(argument) for argument in call.args]
        assert arguments[1] == {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}


def check_gunicorn(app):
    build = build_of(app)
    tree = ast.parse(_gunicorn.configuration(app, build, HOST, presumed(app)).partition(_gunicorn.HOOKS)[2])
    values = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            values[node.targets[0].id] = ast.literal_eval(node.value)
    assert values["chdir"] == _layout.working_directory(app, build)
    assert values["options"] == app["server_options"]
    assert values["raw_env"] == ([] if app["mount"] == "/" else [f"SCRIPT_NAME={app['mount']}"])
    check_entry_point(app)
    # Beside the collection's own statements, it has nothing but values.
    plain = resolve(app["stack"], {})
    statements = ast.parse(_gunicorn.configuration(plain, build, HOST, presumed(app)).partition(_gunicorn.HOOKS)[2]).body
    assert [type(node) for node in tree.body] == [type(node) for node in statements]


# nginx's files, rendered from the role's templates and read by the doctor's reader.


TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader([ROOT / f"roles/{role}/templates" for role in ("nginx", "gunicorn_supervisor")]),
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,
)


def check_nginx(app):
    files = [file for file in _files.tree([app])["files"] if "src" in file]
    found = {file["dest"]: TEMPLATES.get_template(file["src"]).render(file["vars"]) for file in files}
    name = app["name"]
    locations = _syntax.parse(found[f"/etc/nginx/wsgi/{name}.conf"], "")
    assert {directive.name for directive in locations} == {"location"}
    places = [(static["url"], static["path"]) for static in app["static"]]
    places += [(f"/.wsgi-previous{static['url']}", static["previous"]) for static in app["static"]]
    assert len(locations) == len(places) + 1 + (app["mount"] != "/")
    published = [location for location in locations if location.arguments[0] == "^~"]
    aliases = {location.arguments[1]: _syntax.first_argument(location.block, "alias") for location in published}
    assert aliases == {url: f"{path}/" for url, path in places}
    assert not any("$" in path for _url, path in places)
    assert locations[-1].arguments == (app["mount"].rstrip("/") + "/",)
    last = [(directive.name, directive.arguments) for directive in locations[-1].block]
    raw = [(directive.name, directive.arguments) for directive in _syntax.parse("\n".join(app["nginx_directives"]), "")]
    assert last[len(last) - len(raw) :] == raw
    if "client_max_body_size" not in dict(raw):
        assert ("client_max_body_size", (app["client_max_body_size"],)) in last
    for path, text in found.items():
        if "sites-available" in path:
            servers = _syntax.parse(text, "")
            assert {directive.name for directive in servers} == {"server"}
            names = [each.arguments for server in servers for each in server.block if each.name == "server_name"]
            assert {*sum(names, ())} <= {*app["domains"], "_", "", "~^"}


# supervisor's file, as UnhosedConfigParser in supervisor/options.py reads and expands it.


def check_supervisor(app):
    text = _supervisor.program(app, "blue", "www-data")
    parser = _supervisor_files.parse(text)
    assert parser.sections() == [f"fcgi-program:wsgi-blue@{app['name']}"]
    (options,) = _supervisor_files.programs(text).values()
    assert all(value == value % {} for value in options.values())
    slot = _layout.of(app).slot("blue")
    assert options["command"] == f"{slot}/launch {slot}/serve blue"
    assert (options["user"], options["stopwaitsecs"]) == ("root", str(app["drain_timeout"] + 5))
    # Root runs the launcher, so nothing but these values may be in its last line.
    call = ast.parse(_gunicorn.launcher(app)).body[-1].value
    given = [ast.literal_eval(argument) for argument in call.args[:-1]]
    assert given == [app["name"], [_layout.of(app).shared, *app["writable_paths"]], app["privileged_programs"]]
    assert ast.unparse(call.func) + ast.unparse(call.args[-1]) == "startsys.argv[1:]"
    assert configparser.RawConfigParser(strict=True).read_string(text) is None


def read_unit(text):
    """The settings of a unit of systemd's: section and name, with the value. A % begins a specifier, a \\ at the end goes on."""
    found, section = [], ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line[1:-1]
        elif line and line[0] not in "#;":
            name, _equals, value = line.partition("=")
            assert "%" not in value
            assert not value.endswith("\\")
            found.append((section, name, value))
    return found


def check_systemd(app):
    if app["writable_paths"]:
        for text in (_options.of_unit(_make.sandbox(app)), _options.of_emperor(_make.sandbox(app))):
            (paths,) = [value for _section, name, value in read_unit(text) if name == "ReadWritePaths"]
            assert [path.lstrip("-") for path in paths.split(" ")] == app["writable_paths"]
        assert "/" not in app["writable_paths"]
    for file in bind_files.bind_files([app])["files"]:
        variables = {**file["vars"], "__gunicorn_supervisor_settings": {"nginx_group": "www-data"}}
        unit = read_unit(TEMPLATES.get_template(file["src"]).render(variables))
        assert {section for section, _name, _value in unit} <= {"Unit", "Socket", "Service", "Install"}
        if file["src"] == "bind.socket.j2":
            assert [value for _section, name, value in unit if name == "ListenStream"] == [app["bind"]]
        else:
            (start,) = [value for _section, name, value in unit if name == "ExecStart"]
            assert start.split()[-1] == app["upstream"]
    (user,) = _create.sysusers([app]).splitlines()[1:]
    home = _layout.of(app).directory
    assert shlex.split(user) == ["u", app["name"], "-", f"WSGI application {app['name']}", home, "/usr/sbin/nologin"]
    request = _create.AccountsRequest(os.path.dirname(home), "/run/wsgi", "www-data")
    fields = [line.split(" ") for line in _create.tmpfiles([app], request).splitlines() if line and line[0] != "#"]
    assert all(len(field) == 6 and field[0] == "d" and "%" not in field[1] for field in fields)


CHECKS = {"uwsgi": check_uwsgi, "uwsgi_emperor": check_uwsgi, "gunicorn_supervisor": check_gunicorn}


def check_formats(app):
    CHECKS[app["stack"]](app)
    check_nginx(app)
    check_systemd(app)
    if app["stack"] == "gunicorn_supervisor":
        check_supervisor(app)


STACKS = st.sampled_from(sorted(_registry.STACKS))


@generated(400)
@given(STACKS, KEYS)
@example("uwsgi", ("name", "shop\n"))
@example("uwsgi", ("packages", ["a\0b"]))
@example("uwsgi", ("release_commands", ["a\udc80"]))
@example("uwsgi", ("python", "python3\0"))
@example("uwsgi", ("environment_file", "/etc/\0"))
@example("uwsgi", ("working_directory", "a$(b)"))
@example("uwsgi", ("working_directory", "a@(b)"))
@example("uwsgi", ("working_directory", "a "))
@example("uwsgi", ("\x1b[2J", 1))
def test_a_value_of_any_key_arrives_or_is_refused(stack, found):
    key, value = found
    app = resolve(stack, {key: value})
    if app is not None:
        check_formats(app)


@pytest.mark.parametrize("key", ["source", "static", "tls", "health_check"])
@generated(60)
@given(st.data())
def test_so_does_what_is_inside_a_key(key, data):
    schema = {"source": _resolve.SOURCE, "static": _resolve.STATIC, "health_check": _resolve.HEALTH_CHECK}
    inside = sorted(schema[key]) if key in schema else ["mode", "certificate", "key", "port", "hsts", "on_host"]
    start = {"static": {"url": "/static/", "directory": "pub"}, "tls": {"mode": "files", "on_host": True}}.get(key, {})
    more = data.draw(st.dictionaries(st.sampled_from(inside), TEXT.map("/a{}".format) | TEXT | ANYTHING, min_size=1, max_size=2))
    value = {**start, **more}
    app = resolve(data.draw(STACKS), {key: [value] if key == "static" else value})
    if app is not None:
        check_formats(app)


ENTRIES = st.dictionaries(st.sampled_from(["name", "state", "source", "entry_point"]) | TEXT, ANYTHING, max_size=4)


@generated(150)
@given(ANYTHING | st.lists(ENTRIES, max_size=2))
def test_a_list_of_apps_that_is_anything_at_all_is_refused_in_a_sentence(apps):
    for function in (_resolve.resolve, _resolve.secrets):
        _result, cause = attempt(lambda function=function: function(apps))
        assert re.match(r"app |the app at place \d+ of wsgi_apps: |wsgi_apps: |\Z", cause)
        assert not _schema.CONTROL.search(cause), cause


OPTIONS = st.dictionaries(
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True) | TEXT, SCALAR | st.lists(SCALAR, max_size=2), min_size=1, max_size=2
)


@generated(200)
@given(STACKS, OPTIONS)
@example("uwsgi", {"[other": "x"})
@example("uwsgi", {"#x": "x"})
@example("uwsgi", {"a = b\nexec": "x"})
@example("uwsgi", {"log-format": "%(addr) %d %% 100%"})
@example("uwsgi", {"a": "@(/etc/passwd)"})
@example("uwsgi", {"a": " b"})
@example("gunicorn_supervisor", {"timeout": float("inf")})
def test_options_of_a_server_arrive(stack, options):
    app = resolve(stack, {"server_options": options})
    if app is not None:
        CHECKS[stack](app)


NGINX = ["add_header", "X", ";", "{", "}", "'", '"', "\\", "# c", "$host", "if ($x)", "\n", " "]
LINES = st.lists(st.lists(st.sampled_from(NGINX) | TEXT, max_size=8).map(" ".join), max_size=3)


@generated(200)
@given(LINES)
@example(["}", "location /x {"])
@example(["add_header X 'y;"])
@example(["add_header X y"])
@example(['add_header X "a;}";', "if ($host) { return 403; }", "# }"])
@example(["}} #"])
def test_lines_for_nginx_stay_in_their_location(lines):
    static = [{"url": "/static/", "directory": "pub"}]
    app = resolve("uwsgi", {"nginx_directives": lines, "static": static, "mount": "/shop"})
    if app is not None:
        check_nginx(app)


def test_some_of_what_is_special_is_accepted():
    directory = 'it\'s "here"; {x} # y\\n [uwsgi] \xe9'
    keys = {
        "working_directory": directory,
        "static": [{"url": "/static/", "directory": directory}],
        "nginx_directives": ['add_header X "a;}";', "if ($host) { return 403; }"],
        "server_options": {"x-y": "a=%(b) #"},
    }
    for stack in _registry.STACKS:
        app = resolve(stack, keys)
        assert app is not None
        check_formats(app)


# The environment: by the shell that Debian has, which runs both files of a release as they are.

SHELLS = """
    IFS PATH PS1 PS2 PS4 MAIL MAILPATH MAILCHECK LINENO TERM HISTSIZE PPID HOME LANG ENV _ CDPATH SHELL UID EUID RANDOM OPTARG
    OPTERR FUNCNAME EDITOR FCEDIT ATTY POSIXLY_CORRECT LC_ALL VIRTUAL_ENV WSGI_APP WSGI_RELEASE WSGI_SHARED SHLVL
""".split()

STUB = f"""#!{os.path.realpath(sys.executable)} -IS
import json, os, sys
with open("/proc/self/environ", "rb") as stream:
    variables = stream.read().decode("utf-8").split("\\0")[:-1]
print(json.dumps([sys.argv[1:], os.getcwd(), dict(each.split("=", 1) for each in variables)]))
"""


def served(app, environment, root):
    """The arguments of the app's server, its directory and environment, from a release that is written to the disk and served."""
    layout, build = _layout.of(app), build_of(app)
    release, program = Path(layout.release(1)), Path(_registry.server(app["stack"]).program(app, build))
    assert program.is_relative_to(root)
    for directory in (release, program.parent, Path(_layout.working_directory(app, build))):
        directory.mkdir(parents=True, exist_ok=True)
    program.write_text(STUB)
    program.chmod(0o755)
    for name, text in _make.files(app, environment, build, 1, HOST).items():
        (release / name).write_text(text, encoding="utf-8", newline="")
        (release / name).chmod(0o755)
    done = subprocess.run([SH, release / "serve", "blue"], stdin=subprocess.DEVNULL, capture_output=True, check=True, env={})
    assert done.stderr == b""
    return json.loads(done.stdout)


ENVIRONMENT = st.dictionaries(st.sampled_from(SHELLS) | st.from_regex(_schema.VARIABLE, fullmatch=True) | TEXT, TEXT, max_size=3)


@generated(60)
@given(STACKS, ENVIRONMENT, TEXTS["working_directory"])
@example("uwsgi", {"A": 'it\'s $(x) `y` \\ "z" %(a)s @(b)\n\t\x1b\r;#\xe9\U0001f40d'}, "a/b")
@example("uwsgi", {"PATH": "/nowhere", "IFS": "/:=abc"}, "a/b")
@example("gunicorn_supervisor", dict.fromkeys(SHELLS, "5"), "-a/it's")
def test_variables_and_the_directory_arrive_at_the_server(root, stack, environment, directory):
    keys = {"environment": environment, "working_directory": directory, "uwsgi_install_from": "venv"}
    app = resolve(stack, keys, root)
    assume(app is not None)
    arguments, place, found = served(app, environment, root)
    assert {name: found.get(name) for name in environment} == environment
    assert place == os.path.realpath(_layout.working_directory(app, build_of(app)))
    release = _layout.of(app).release(1)
    if stack == "gunicorn_supervisor":
        assert arguments == ["--config", f"{release}/gunicorn.conf.py", "--name", "wsgi-blue@shop", "__config__:entry_point()"]
    else:
        assert arguments == ["--ini", f"{release}/uwsgi.ini", "--wsgi-file", f"{release}/entry_point.py"]


@generated(200)
@given(st.binary(max_size=40) | TEXT.map(lambda text: f"A={text}\nB=1\n".encode(errors="surrogatepass")))
def test_a_file_of_variables_gives_what_a_release_can_have_or_a_line_that_is_wrong(content):
    found, cause = attempt(lambda: _dotenv.parse(content))
    assert re.match(r"line \d+: |\Z", cause)
    assert not _schema.CONTROL.search(cause)
    assert cause or _schema.variables(found) == found
