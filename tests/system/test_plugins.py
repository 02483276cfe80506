# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps on Pythons that the distribution's uWSGI has no plugin for, on one host at once, under both of its stacks."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import pytest
from conftest import on

pytestmark = pytest.mark.long

DIRECTORY = "/usr/lib/uwsgi/plugins"
STACKS = ("uwsgi", "uwsgi_emperor")

# The Python that serves, where its libpython lies, and the process whose children serve; tinydb is of the app's own build.
APP = """
import os, platform, re, time
import tinydb

def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1.5)
    with open("/proc/self/maps") as stream:
        libraries = set(re.findall(r"/\\S+/libpython\\S+", stream.read()))
    start_response("200 OK", [("Content-Type", "text/plain")])
    words = [platform.python_version(), ",".join(sorted(libraries)), os.environ.get("GREETING", "hello"), str(os.getppid())]
    return ["|".join(words).encode()]
"""


@dataclass(frozen=True)
class Python:
    """An interpreter that apps run on.

    :ivar how: how it comes to be on the host, see tests/images/pythons
    :ivar library: a pattern of its libpython's path
    :ivar plugin: what is built for it
    :ivar keys: what an app says besides
    """

    python: str
    library: str
    how: tuple[str, ...] = ()
    plugin: str = ""
    keys: dict[str, str] = field(default_factory=dict)


def moved(version: str, suite: str) -> Python:
    """An interpreter of Debian's in another place than it was made for."""
    plugin = f"python{version.replace('.', '')}_opt_python{version.replace('.', '_')}"
    path = f"/opt/python{version}"
    return Python(f"{path}/bin/python{version}", f"{path}/lib/libpython.*", ("moved", suite, version), plugin)


PYTHONS = {
    "12": {
        "own": Python("python3", "/usr/lib/.*-linux-gnu/libpython3.11.*"),
        "older": Python("python3.9", "/usr/lib/.*-linux-gnu/libpython3.9.*", ("packaged", "bullseye", "3.9"), "python39"),
        "newer": Python(
            "/opt/python3.13/bin/python3.13",
            "/opt/python3.13/lib/libpython3.13.*",
            ("compiled", "trixie", "3.13"),
            "python313_opt_python3_13",
        ),
        "namesake": moved("3.11", "bookworm"),
    },
    "13": {
        "own": Python("python3", "/usr/lib/.*-linux-gnu/libpython3.13.*"),
        "older": moved("3.11", "bookworm"),
        "newest": Python(
            "/opt/python3.14/bin/python3.14",
            "/opt/python3.14/lib/libpython3.14.*",
            ("moved", "forky", "3.14"),
            keys={"uwsgi_install_from": "venv"},
        ),
    },
}


class Host:
    """A host with many Pythons, and with two apps on each.

    :ivar apps: by name
    :ivar pythons: by the name of the app
    """

    def __init__(self, server, directory):
        self.server = server
        self.pythons = {}
        self.apps = {}
        (directory / "app.py").write_text(APP)
        for kind, python in PYTHONS[server.debian].items():
            if python.how:
                server.python(*python.how)
            for stack in STACKS:
                name = f"{kind}-{stack.replace('_', '-')}"
                self.pythons[name] = python
                self.apps[name] = {
                    "name": name,
                    "source": {"directory": str(directory)},
                    "entry_point": "app:application",
                    "python": python.python,
                    "packages": ["tinydb==4.8.2"],
                    "mount": f"/{name}",
                    "processes": 1,
                    "stack": stack,
                    **python.keys,
                }

    @property
    def built(self) -> dict[str, Python]:
        """The interpreters that a plugin is built for, by its path."""
        return {f"{DIRECTORY}/{python.plugin}_plugin.so": python for python in self.pythons.values() if python.plugin}

    def converge(self, *changed: dict):
        """Run the site's playbook with all apps, some of them changed."""
        return self.server.converge(list({**self.apps, **{app["name"]: app for app in changed}}.values()))

    def pages(self) -> dict[str, str]:
        """What each app answers."""
        return {name: self.server.get(f"/{name}/") for name in self.apps}

    def check_pages(self) -> None:
        """See whether each app runs on its own interpreter, with that one's libpython."""
        for name, page in self.pages().items():
            python = self.pythons[name]
            wanted = rf"200 {re.escape(self.version(python.python))}\|{python.library}\|hello\|\d+"
            assert re.fullmatch(wanted, page), (name, page)

    def plugins(self) -> str:
        """All files of uWSGI's plugins: path, inode, mode, owner, time of the last change, content."""
        find = f"find {DIRECTORY} -mindepth 1 -printf '%p %i %m %u:%g %T@ %l\\n' | sort"
        return self.server.sh(f"{find}; find {DIRECTORY} -type f -exec sha256sum {{}} + | sort")

    def version(self, python: str) -> str:
        return self.server.sh(f"{python} -c 'import platform; print(platform.python_version())'").strip()

    def plugin(self, *arguments: str, **options) -> dict:
        """Call the module."""
        return self.server.module("uwsgi_plugin", *arguments, **options)


@pytest.fixture(scope="module")
def host(server, tmp_path_factory):
    server.need("hey")
    host = Host(server, tmp_path_factory.mktemp("plugins"))
    host.converge()
    return host


def test_each_app_runs_on_its_own_python_and_each_plugin_is_built_once(host):
    host.check_pages()
    listed = host.server.sh(f"dpkg-query -S {DIRECTORY}/* 2>/dev/null || true")
    packaged = {line.partition(": ")[2] for line in listed.splitlines()}
    files = set(host.server.sh(f"find {DIRECTORY} -type f").split())
    assert files - packaged == set(host.built)
    for path, python in host.built.items():
        assert host.server.sh(f"stat -c '%a %U:%G %F' {path}") == "644 root:root regular file\n"
        said = host.server.sh(f"uwsgi --need-plugin {path} --python-version")
        assert said.splitlines()[-1] == host.version(python.python), said
        linked = host.server.sh(f"ldd {path} | sed -n 's/.*libpython.* => \\(.*\\) (.*/\\1/p' | xargs realpath").strip()
        assert re.fullmatch(python.library, linked), linked

    before = host.plugins()
    assert host.converge().changed == []
    assert host.plugins() == before


def age(server, path: str, python: str) -> None:
    """Have a plugin look as if it had been built for an earlier patch release of its interpreter, as before an upgrade."""
    major, minor, patch = python.split(".")
    server.sh(f"""sed -i '$s/"version": "{python}"/"version": "{major}.{minor}.{int(patch) - 1}"/' {path}""")


@on(13)
def test_after_an_upgrade_a_plugin_is_built_once_and_its_apps_roll_out_without_a_failed_request(host):
    path, python = next(iter(host.built.items()))
    version = host.version(python.python)
    concerned = [name for name, other in host.pythons.items() if other is python]
    files, pages = host.plugins().splitlines(), host.pages()

    age(host.server, path, version)
    foreseen = host.plugin("--check", "--diff", python=[python.python])
    (plugin,) = foreseen["plugins"]
    older = re.sub(r"\d+$", lambda found: str(int(found[0]) - 1), version)
    assert (plugin["action"], plugin["message"]) == ("would build", f"the interpreter: was {older}, is {version}")
    changes = re.findall(r'^[-+] .*"(\w+)": "(.*)"', foreseen["shown"], re.MULTILINE)
    assert changes == [("version", older), ("version", version)], foreseen["shown"]

    with host.server.load(f"/{concerned[0]}/", 2) as first, host.server.load(f"/{concerned[1]}/slow", 4) as second:
        play = host.converge()
    assert play.changed, play.output
    for load in (first, second):
        assert set(load) == {"200"}, load
        assert load["200"] > 3, load
    changed = {line.split()[0] for line in set(host.plugins().splitlines()) - set(files) if line.startswith("/")}
    assert changed == {path}
    after = host.pages()
    for name, page in pages.items():
        said, _bar, _master = page.rpartition("|")
        assert after[name].startswith(f"{said}|"), (name, after[name])
        assert (after[name] == page) == (name not in concerned), (name, page, after[name])
    assert host.converge().changed == []


@on(13)
def test_plugins_for_another_uwsgi_are_told_of_and_those_in_use_are_built_anew(host):
    path = f"{DIRECTORY}/python311_opt_python3_11_plugin.so"
    packaged = f"{DIRECTORY}/python311_plugin.so"
    pages = host.pages()
    host.server.python("leftover", "bookworm", "3.11")
    host.server.sh(f"sed -i '$s/2\\.0\\.28-debian/2.0.21-debian/g' {path}")
    message = "it was built for uWSGI 2.0.21-debian, and uWSGI 2.0.28-debian is installed"
    result = host.plugin(python=["python3"])
    assert not result["changed"], result
    assert result["leftovers"] == [{"path": found, "message": message} for found in (path, packaged)]
    for found in (path, packaged):
        assert f"{found}: {message}, which would load it silently and then hang;" in one_line(result["shown"])
    assert host.pages() == pages

    rebuilt = host.plugin(python=["/opt/python3.11/bin/python3.11"])
    (plugin,) = rebuilt["plugins"]
    assert plugin["message"].startswith("uWSGI: was 2.0.21-debian, is 2.0.28-debian; "), rebuilt
    assert [leftover["path"] for leftover in rebuilt["leftovers"]] == [packaged]
    host.server.sh(f"rm {packaged}")
    host.converge()
    assert host.converge().changed == []


# Plugins that no package brings, of an interpreter of the distribution's.
OTHERS = {"12": ("python3.9", ["gevent", "asyncio", "dummy"]), "13": ("python3", ["gevent", "greenlet", "dummy"])}

# What building them takes and a host lacks, in the order in which it is missed.
MISSED = {
    "12": {
        "there are no sources of uWSGI in /usr/src/uwsgi": ["uwsgi-src"],
        "there is no gcc": ["gcc"],
        "the header stdio.h is missing": ["libc6-dev"],
        "the header uuid/uuid.h is missing": ["uuid-dev"],
        "the header sys/capability.h is missing": ["libcap-dev"],
        "the header openssl/conf.h is missing": ["libssl-dev"],
        "the header pcre.h is missing": ["libpcre3-dev"],
        "the header zlib.h is missing": ["zlib1g-dev"],
        "the header Python.h is missing for /usr/bin/python3.9": ["libpython3.9-dev"],
    },
    "13": {
        "there are no sources of uWSGI in /usr/src/uwsgi": [
            "uwsgi-src",
            "gcc",
            "libc6-dev",
            "uuid-dev",
            "libcap-dev",
            "libssl-dev",
        ],
        "the header pcre2.h is missing": ["libpcre2-dev", "zlib1g-dev"],
        "the header Python.h is missing for /usr/bin/python3.13": ["libpython3.13-dev"],
    },
}


def test_what_a_build_lacks_is_named_with_its_fix_and_nothing_is_touched(host):
    """From a host without anything that building takes to one with all of it, by doing what is said."""
    missed = MISSED[host.server.debian]
    python, (plugin, *_others) = OTHERS[host.server.debian]
    pages, files = host.pages(), host.plugins()
    install = "DEBIAN_FRONTEND=noninteractive apt-get {} -qq -y --no-install-recommends {} >/dev/null 2>&1"
    host.server.sh(install.format("remove", " ".join(name for names in missed.values() for name in names)))
    told = {}
    for packages in missed.values():
        result = host.plugin(python=[python], plugins=[plugin])
        assert result["failed"], result
        found = re.fullmatch(
            rf"the plugin {plugin}_\w+ cannot be built: (.*); install the packages? (.*), or set (.*)\.", result["msg"]
        )
        assert found, result["msg"]
        assert found[3] == "install_build_dependencies: true"
        assert set(packages) <= set(re.split(", | and ", found[2])), result["msg"]
        assert host.plugins() == files
        told[found[1]] = packages
        host.server.sh(install.format("install", " ".join(packages)))
    assert told == missed
    assert host.pages() == pages


def test_other_plugins_of_the_same_sources_are_built_at_once_and_only_what_was_built_is_removed(host):
    python, plugins = OTHERS[host.server.debian]
    call = {"python": [python], "plugins": plugins, "install_build_dependencies": True}
    files = host.plugins()
    result = host.plugin(**call)
    assert not result["failed"], result
    assert [plugin["action"] for plugin in result["plugins"]] == ["built"] * 3, result
    name = f"python{''.join(host.version(python).split('.')[:2])}"
    assert [plugin["name"] for plugin in result["plugins"]] == [*(f"{plugin}_{name}" for plugin in plugins[:2]), plugins[2]]
    for path in [plugin["path"] for plugin in result["plugins"]]:
        assert host.server.sh(f"stat -c '%a %U:%G' {path}") == "644 root:root\n"
        host.server.sh(f"uwsgi --need-plugin {DIRECTORY}/{name}_plugin.so --need-plugin {path} --version")
    built = host.plugins()
    assert not host.plugin(**call)["changed"]
    assert host.plugins() == built

    removed = host.plugin(**call, state="absent")
    assert [plugin["action"] for plugin in removed["plugins"]] == ["removed"] * 3, removed
    packaged = host.plugin(python=["python3"], state="absent")
    assert [plugin["action"] for plugin in packaged["plugins"]] == ["present"], packaged
    assert host.plugins() == files


STATIC = "/opt/python-static/bin/python3.11"
CLOSED = "/root/python/bin/python3"

STATIC_CAUSE = f"""
    the plugin python311_opt_python_static cannot be built: {STATIC} has no shared libpython, and its static one was compiled
    without -fPIC; build it with --enable-shared, name another python, or set uwsgi_install_from: venv.
"""
PYPY_CAUSE = "pypy3 is PyPy, which has no libpython to link uWSGI's plugin with; name a CPython."

# Calls of the module that ask for what no plugin can be built for or of, and what is said.
REFUSED = {
    "12": [
        ({"python": [STATIC]}, STATIC_CAUSE),
        ({"python": ["pypy3"]}, PYPY_CAUSE),
        (
            {"python": [CLOSED]},
            f"{CLOSED} cannot be run by every user; move it to a place such as /opt, or open its directories.",
        ),
        (
            {"python": ["python3.99"]},
            """there is no python3.99 in the usual directories; add the Debian package that has it to system_packages, or name
            another interpreter.""",
        ),
        (
            {"python": ["/opt/python3.13/bin/python3.13"]},
            """the plugin python313_opt_python3_13 cannot be built: the sources of uWSGI 2.0.21 are too old for Python {version},
            which takes 2.0.28 or later; set source: pypi.""",
        ),
    ],
    "13": [
        (
            {"python": ["/opt/python3.14/bin/python3.14"]},
            """the plugin python314_opt_python3_14 cannot be built: the sources of uWSGI 2.0.28 are too old for Python {version},
            which takes 2.0.30 or later; set source: pypi.""",
        ),
        (
            {"python": ["/opt/python3.11/bin/python3.11"], "plugins": ["gevent"]},
            """the plugin gevent_python311_opt_python3_11 cannot be built: /opt/python3.11/bin/python3.11 was installed without
            its headers, /opt/python3.11/include/python3.11/Python.h; install it with them, or name another python.""",
        ),
        (
            {"python": ["/opt/python3.11/bin/python3.11"], "source": "9.9.9"},
            """the sources of uWSGI 9.9.9 cannot be fetched: No matching distribution found for uwsgi==9.9.9; correct source, or
            the index in the host's /etc/pip.conf.""",
        ),
        (
            {"python": ["python3"], "plugins": ["gevnt"]},
            "there is no plugin gevnt in the sources of uWSGI 2.0.28; did you mean gevent?",
        ),
    ],
}


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def unfit(host):
    """Have the interpreters on the host that are refused."""
    if host.server.debian == "12":
        host.server.need("pypy3")
        host.server.python("static")
        host.server.sh(f"install -D /usr/bin/python3 {CLOSED}")
        yield
    else:
        host.server.sh("mv /opt/python3.11/include /opt/python3.11/away")
        yield
        host.server.sh("mv /opt/python3.11/away /opt/python3.11/include")


@pytest.mark.usefixtures("unfit")
def test_what_no_plugin_can_be_made_for_is_refused_in_one_sentence(host):
    pages, files = host.pages(), host.plugins()
    for call, sentence in REFUSED[host.server.debian]:
        result = host.plugin(**call, install_build_dependencies=True)
        assert result["failed"], result
        wanted = one_line(sentence)
        if "{version}" in wanted:
            wanted = wanted.format(version=host.version(call["python"][0]))
            # What the compiler said is in the result, not in the sentence.
            assert "error: " in "\n".join(result["failures"][0]["log"])
        assert result["msg"] == wanted
    assert host.plugins() == files
    assert host.pages() == pages


@on(12)
@pytest.mark.usefixtures("unfit")
def test_an_app_that_no_plugin_can_be_made_for_keeps_no_other_from_its_release(host):
    changed = host.apps["older-uwsgi"]
    bad = {"newer-uwsgi": (STATIC, STATIC_CAUSE), "own-uwsgi-emperor": ("pypy3", PYPY_CAUSE)}
    pages = host.pages()
    apps = {
        **host.apps,
        **{name: {**host.apps[name], "python": python} for name, (python, _cause) in bad.items()},
        changed["name"]: {**changed, "environment": {"GREETING": "changed"}},
    }
    play = host.server.play(list(apps.values()))
    assert play.code
    told = [f"app {name}: plugin: {one_line(cause)}" for name, (_python, cause) in bad.items()]
    assert sorted(play.message.splitlines()) == sorted(told)
    after = host.pages()
    assert "|changed|" in after[changed["name"]]
    assert {name for name in pages if after[name] != pages[name]} == {changed["name"]}
    host.converge()


ANEW = "change the app's source or packages, which makes a new build."
PLUGIN = "build one that fits with the module wsgi.stack.uwsgi_plugin."

# What comes between a release and its rollout: a file, how it is changed, and what is said.
MISMATCHES = {
    "12": {
        "newer-uwsgi": (
            f"{DIRECTORY}/python313_opt_python3_13_plugin.so",
            f"cp {DIRECTORY}/python39_plugin.so FILE.new; mv FILE.new FILE",
            f"FILE does not fit: it does not load: undefined symbol: python313_opt_python3_13_plugin; {PLUGIN}",
        ),
        "namesake-uwsgi": (
            f"{DIRECTORY}/python311_opt_python3_11_plugin.so",
            "cp FILE FILE.new; chrpath -d FILE.new; mv FILE.new FILE",
            f"""FILE does not fit: its libpython is /usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0, and that of
            /opt/python3.11/bin/python3.11 is /opt/python3.11/lib/libpython3.11.so.1.0; {PLUGIN}""",
        ),
        "older-uwsgi-emperor": (
            f"{DIRECTORY}/python39_plugin.so",
            "sed -i '$s/2.0.21-debian/2.0.20-debian/g' FILE",
            f"FILE was built for uWSGI 2.0.20-debian, and this is uWSGI 2.0.21-debian, in which it may load and hang; {PLUGIN}",
        ),
        "older-uwsgi": (
            "/srv/wsgi/older-uwsgi/builds/*/venv/pyvenv.cfg",
            "sed -i 's/3.9.2/3.10.1/' FILE",
            f"""the virtual environment was made for Python 3.10.1 (pyvenv.cfg), but the app's interpreter
            /usr/bin/python3.9 is 3.9.2; {ANEW}""",
        ),
        "own-uwsgi": (
            "/srv/wsgi/own-uwsgi/builds/*/venv/bin/python",
            "ln -sfn /usr/bin/python3.9 FILE",
            f"""the virtual environment was made for Python 3.11.2 (pyvenv.cfg), but the app's interpreter
            /usr/bin/python3.9 is 3.9.2; {ANEW}""",
        ),
    },
    "13": {
        "newest-uwsgi": (
            "/srv/wsgi/newest-uwsgi/builds/*/venv/bin/uwsgi",
            "cp -a FILE FILE.new; chrpath -d FILE.new >/dev/null; mv FILE.new FILE",
            f"""FILE does not fit: it does not load: error while loading shared libraries: libpython3.14.so.1.0: cannot open
            shared object file: No such file or directory; {ANEW}""",
        ),
    },
}


def test_parts_that_do_not_belong_together_are_refused_and_what_runs_runs_on(host):
    mismatches = MISMATCHES[host.server.debian]
    host.server.need("chrpath")
    releases = {name: int(host.server.sh(f"basename $(readlink /srv/wsgi/{name}/current)")) for name in mismatches}
    host.converge(*({**host.apps[name], "environment": {"GREETING": "second"}} for name in mismatches))
    pages, wanted, files = host.pages(), {}, {}
    for name, (pattern, change, sentence) in mismatches.items():
        files[name] = host.server.sh(f"ls {pattern}").strip()
        host.server.sh(f"cp -a {files[name]} /root/{name}; {change.replace('FILE', files[name])}")
        wanted[name] = f"app {name}: plugin: {one_line(sentence.replace('FILE', files[name]))}"

    apps = "{{ lookup('wsgi.stack.apps') }}"
    variables = json.dumps({"wsgi_apps": [host.apps[name] for name in mismatches]})
    result = host.server.module("rollout", "-e", variables, apps=apps, releases=releases)
    assert {failure["app"]: failure["message"] for failure in result["failures"]} == wanted
    assert host.pages() == pages

    for name, file in files.items():
        if not file.startswith(DIRECTORY):  # a plugin is built anew
            host.server.sh(f"cp -a --remove-destination /root/{name} {file}")
    host.converge()
    host.check_pages()
