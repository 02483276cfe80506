# SPDX-License-Identifier: GPL-3.0-or-later
"""By which commands it is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.build import _installers
from ansible_collections.wsgi.stack.plugins.module_utils.build._choice import Choice
from ansible_collections.wsgi.stack.plugins.module_utils.host import _environment, _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed


def resolved(**keys):
    return _resolve.resolve([{"name": "shop", "source": {"git": "/x"}, "entry_point": "a:b", **keys}])[0]


@pytest.fixture
def lay(tmp_path):
    """Lay out a source from names and contents, and return its path."""

    def lay(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(tmp_path)

    return lay


class Recorder:
    """Stands in for running programs: notes their arguments, and prints what it is told to."""

    def __init__(self, lacking=()):
        self.lacking = lacking
        self.calls = []
        self.environments = []
        self.files = []

    def __call__(self, sandbox, commands, environment=None, directory="/", timeout=None, files=None):
        if commands[0][-1] == "import distutils.dist":
            return Completed((), 1 if commands[0][0] in self.lacking else 0, "")
        for words in commands:
            if words[0] != "find" and "compileall" not in words[2]:
                self.calls.append([os.path.basename(words[0]), *words[1:]])
                self.environments.append((sandbox, dict(environment), directory))
                self.files.append(dict(files))
        return Completed((), 0, '["flask"]\n')


@pytest.fixture
def install(monkeypatch, tmp_path):
    """The commands by which a choice is installed."""

    def install(choice, uv, version="3.11.2", overrides=None, prefix="/usr", build="/b", deploy_key=None, **keys):
        recorder = Recorder(lacking=["/usr/bin/python3.9"])

        def run(*given, **named):
            return recorder(*given, **named)

        monkeypatch.setattr(_sandbox.Sandbox, "run", run)
        python = {
            "executable": f"{prefix}/bin/python{version[:-2]}",
            "version": version,
            "implementation": "CPython",
            "prefix": prefix,
            "library": f"{prefix}/lib/libpython.so",
            "gil": True,
            "debug": False,
        }
        _installers.Installer(resolved(**keys), python, build, overrides or {}, uv, deploy_key).install(choice)
        return recorder

    return install


def test_uv_gets_all_at_once(install):
    choice = Choice(files=("/b/source/r.txt",), project="whole", requirements=("gunicorn",))
    commands = install(choice, "/uv").calls
    assert commands[0] == ["uv", "venv", "--no-project", "--prompt", "shop", "--python", "/usr/bin/python3.11", "/b/venv"]
    assert commands[1][:4] == ["uv", "pip", "install", "--compile-bytecode"]
    assert commands[1][4:] == ["--python", "/b/venv/bin/python", "-r", "/b/source/r.txt", "--", ".", "gunicorn"]
    assert len(commands) == 2


def test_a_lock_is_installed_as_it_is(install):
    recorder = install(Choice(lock=True), "/uv", working_directory="api")
    assert recorder.calls[1][:5] == ["uv", "sync", "--frozen", "--no-dev", "--no-editable"]
    sandbox, environment, directory = recorder.environments[1]
    assert (environment["UV_PROJECT_ENVIRONMENT"], directory) == ("/b/venv", "/b/source/api")
    assert sandbox.owned == ("/b/venv", "/b/source")
    assert (sandbox.name, sandbox.cache) == ("wsgi-build-shop", "wsgi-build/shop")


def test_extras_and_groups_of_a_project(install):
    optional = {"extras": ("x", "y"), "groups": ("g",)}
    words = install(Choice(lock=True, **optional), "/uv").calls[1]
    assert "--no-dev" in words
    assert words[-6:] == ["--extra", "x", "--extra", "y", "--group", "g"]
    assert "--no-dev" not in install(Choice(lock=True, groups=("dev",)), "/uv").calls[1]
    assert install(Choice(project="whole", **optional), "/uv").calls[1][-4:] == ["--group", "g", "--", ".[x,y]"]
    words = install(Choice(project="dependencies", **optional), "/uv").calls[1]
    assert words[-8:] == ["--group", "g", "--extra", "x", "--extra", "y", "-r", "pyproject.toml"]
    assert install(Choice(project="whole", extras=("x",)), None).calls[-1][-1] == ".[x]"


GROUPS = """
[project]
name = "shop"
dependencies = ["flask"]
[project.optional-dependencies]
redis_cache = ["redis"]
[dependency-groups]
prod = [{include-group = "base"}, "sentry-sdk"]
base = ["six"]
"""


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ([False, ["Redis-Cache"], ["prod"]], ["flask", "redis", "six", "sentry-sdk"]),
        ([True, ["a", "b"], ["base"]], [".[a,b]", "six"]),
        ([True, [], ["nope"]], "error: the project has no dependency group nope"),
        ([False, ["nope"], []], "error: the project has no extra nope"),
    ],
)
def test_pip_reads_extras_and_groups(tmp_path, asked, wanted):
    (tmp_path / "pyproject.toml").write_text(GROUPS)
    program = [sys.executable, "-c", _installers.DEPENDENCIES, json.dumps(asked)]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip()) == wanted


def test_a_lock_of_any_installer_comes_alone(install):
    commands = install(Choice(pylocks=("/b/source/pylock.toml",), project="whole", requirements=("gunicorn",)), "/uv").calls
    assert [command[6:] for command in commands[1:]] == [["-r", "/b/source/pylock.toml"], ["--", ".", "gunicorn"]]


def test_the_installer_reaches_repositories_over_ssh(install):
    recorder = install(Choice(), "/uv", deploy_key="the key\n")
    assert recorder.files[0]["key"] == "the key\n"
    command = recorder.environments[0][1]["GIT_SSH_COMMAND"]
    assert "IdentityFile=/run/wsgi-files/key" in command
    assert "UserKnownHostsFile=/var/cache/wsgi-build/shop/known_hosts -o StrictHostKeyChecking=accept-new" in command
    without = install(Choice(), "/uv", overrides={"GIT_SSH_COMMAND": "ssh -v"})
    assert "key" not in without.files[0]
    assert without.environments[0][1]["GIT_SSH_COMMAND"] == "ssh -v"


def test_nothing_to_install_is_an_empty_environment(install):
    assert len(install(Choice(), "/uv").calls) == 1
    assert len(install(Choice(), None).calls) == 1


def test_pip_gets_all_at_once_too(install):
    commands = install(Choice(files=("/b/source/r.txt",), project="whole"), None).calls
    assert commands == [
        ["python3.11", "-m", "venv", "--prompt", "shop", "/b/venv"],
        ["python", "-m", "pip", "install", "-r", "/b/source/r.txt", "--", "."],
    ]


def test_pip_reads_the_dependencies_of_a_project_that_is_not_built(install):
    assert install(Choice(project="dependencies"), None).calls[-1] == ["python", "-m", "pip", "install", "--", "flask"]


def test_hashes_keep_pip_from_taking_a_directory_in_the_same_call(install, lay):
    source = lay({"source/r.txt": "six==1.17.0 --hash=sha256:00\n"})
    path = os.path.join(source, "source/r.txt")
    assert [command[4:] for command in install(Choice(files=(path,), project="whole"), None, build=source).calls[1:]] == [
        ["-r", path],
        ["--", "."],
    ]


def test_a_python_without_distutils_borrows_it_from_setuptools(install):
    commands = install(Choice(requirements=("flask",)), "/uv", version="3.9.2").calls
    assert commands[0] == ["python3.9", "-m", "venv", "--without-pip", "--prompt", "shop", "/b/venv"]
    assert commands[1][-1] == "setuptools"
    assert commands[-2][-1] == "flask"
    assert commands[-1][:2] == ["rm", "-r"]
    assert install(Choice(), "/uv", version="3.8.1").calls[0][:2] == ["uv", "venv"]


def test_no_credentials_become_arguments(install):
    secret = ("a @ https://u:p4ss@host/a.whl", "b @ git+https://t0ken@host/b.git@v1", "c")
    index = {"PIP_INDEX_URL": "https://reader:p%40ss@index.test:8443/simple", "UV_DEFAULT_INDEX": "https://u:p4ss@host/simple"}
    for uv in ("/uv", None):
        recorder = install(Choice(requirements=secret), uv, overrides=index)
        words = recorder.calls[-1]
        assert words[-5:] == ["-r", "/run/wsgi-files/requirements.txt", "--", "b @ git+https://host/b.git@v1", "c"]
        assert recorder.files[-1]["requirements.txt"] == "a @ https://u:p4ss@host/a.whl\n"
        assert recorder.files[-1]["git-credentials"] == "https://t0ken:@host\n"
        assert recorder.files[-1]["netrc"] == "machine index.test login reader password p@ss\n"
        environment = recorder.environments[-1][1]
        assert environment["PIP_INDEX_URL"] == "https://index.test:8443/simple"
        assert environment["UV_DEFAULT_INDEX"] == index["UV_DEFAULT_INDEX"]
        assert environment["NETRC"] == "/run/wsgi-files/netrc"


def test_credentials_that_pip_cannot_take_are_told(install):
    with pytest.raises(StackError, match=r"the credentials of index\.test in build_environment, which have a blank"):
        install(Choice(), None, overrides={"PIP_INDEX_URL": "https://reader:p%20ss@index.test/simple"})


def test_the_build_environment_overrides_ours_except_for_the_place(install):
    recorder = install(Choice(), "/uv", overrides={"UV_SYSTEM_CERTS": "0", "UV_PROJECT_ENVIRONMENT": "/x", "CFLAGS": "-O1"})
    environment = recorder.environments[0][1]
    assert (environment["UV_SYSTEM_CERTS"], environment["CFLAGS"]) == ("0", "-O1")
    assert environment["UV_PROJECT_ENVIRONMENT"] == "/b/venv"
    assert environment["UV_CACHE_DIR"] == "/var/cache/wsgi-build/shop/uv"


def test_pip_trusts_what_the_host_trusts_unless_told_otherwise(lay, monkeypatch):
    directory = lay({"store.crt": "", "pip.conf": "[global]\ncert = /mine.crt\n"})
    store = os.path.join(directory, "store.crt")
    monkeypatch.setattr(_environment, "TRUST_STORE", store)
    monkeypatch.setattr(_environment, "PIP_CONFIGURATION", ())
    assert _environment.pip_environment("/c", {})["PIP_CERT"] == store
    assert _environment.pip_environment("/c", {"SSL_CERT_FILE": "/other.crt"})["PIP_CERT"] == "/other.crt"
    assert _environment.pip_environment("/c", {"PIP_CERT": "/other.crt"})["PIP_CERT"] == "/other.crt"
    monkeypatch.setattr(_environment, "PIP_CONFIGURATION", (os.path.join(directory, "pip.conf"),))
    assert "PIP_CERT" not in _environment.pip_environment("/c", {})


def test_proxies_of_the_play_reach_the_installer(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert _environment.uv_environment("/c", {})["HTTPS_PROXY"] == "http://proxy:3128"


def test_a_uwsgi_of_the_build_is_linked_with_the_builds_interpreter(install):
    keys = {"uwsgi_install_from": "venv", "version": "3.14.0"}
    system = install(Choice(), "/uv", **keys).environments[0][1]
    assert system["UV_CACHE_DIR"] == "/var/cache/wsgi-build/shop/python314/uv"
    assert "LDFLAGS" not in system
    elsewhere = install(Choice(), "/uv", prefix="/opt/python", **keys).environments[0][1]
    assert elsewhere["UV_CACHE_DIR"] == "/var/cache/wsgi-build/shop/python314_opt_python/uv"
    assert elsewhere["LDFLAGS"] == "-L/opt/python/lib -Wl,-rpath,/opt/python/lib"
    assert (
        install(Choice(), "/uv", overrides={"LDFLAGS": "-s"}, prefix="/opt/python", **keys).environments[0][1]["LDFLAGS"] == "-s"
    )


def test_what_the_build_commands_left_gets_no_credentials(monkeypatch):
    given = []
    monkeypatch.setattr(_sandbox.Sandbox, "run", lambda _self, *_commands, **named: given.append(named) or Completed((), 0, ""))
    python = {"executable": "/usr/bin/python3.11", "version": "3.11.2"}
    overrides = {"PIP_INDEX_URL": "https://me:secret@pypi.example.com/simple"}
    _installers.Installer(resolved(), python, "/b", overrides, None, "deploy key").finish()
    assert [set(named) & {"environment", "files"} for named in given] == [set()]
