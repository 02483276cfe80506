# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed for which source, by which commands, and how a failure reads."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.build import _installers
from ansible_collections.wsgi.stack.plugins.module_utils.build._installers import Choice
from ansible_collections.wsgi.stack.plugins.module_utils.host import _environment, _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed

BUILD_SYSTEM = '[build-system]\nrequires = ["setuptools"]\n[project]\nname = "shop"\n'
PROJECT = '[project]\nname = "shop"\ndependencies = ["flask"]\n'
TOOLS = "[tool.ruff]\nline-length = 100\n"


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


@pytest.mark.parametrize(
    ("files", "keys", "installer", "wanted"),
    [
        ({}, {}, "uv", {}),
        ({}, {"packages": ["gunicorn"]}, "uv", {"requirements": ("gunicorn",)}),
        ({"requirements.txt": ""}, {}, "uv", {"files": ("requirements.txt",)}),
        ({"requirements.txt": ""}, {"requirements": []}, "uv", {}),
        ({"requirements.txt": "", "prod.txt": ""}, {"requirements": ["prod.txt"]}, "uv", {"files": ("prod.txt",)}),
        ({"requirements.txt": "", "api/requirements.txt": ""}, {"working_directory": "api"}, "uv",
         {"files": ("api/requirements.txt",)}),
        ({"uv.lock": "", "pyproject.toml": BUILD_SYSTEM}, {}, "uv", {"lock": True}),
        ({"uv.lock": "", "pyproject.toml": BUILD_SYSTEM}, {}, "pip", {"project": "whole"}),
        ({"uv.lock": "", "r.txt": "", "pyproject.toml": PROJECT}, {"requirements": ["r.txt"]}, "uv",
         {"files": ("r.txt",), "project": "dependencies"}),
        ({"pyproject.toml": BUILD_SYSTEM}, {}, "uv", {"project": "whole"}),
        ({"pyproject.toml": BUILD_SYSTEM, "requirements.txt": ""}, {}, "uv",
         {"files": ("requirements.txt",), "project": "whole"}),
        ({"pyproject.toml": PROJECT}, {}, "uv", {"project": "dependencies"}),
        ({"pyproject.toml": TOOLS}, {}, "uv", {}),
        ({"pyproject.toml": TOOLS, "setup.py": ""}, {}, "uv", {"project": "whole"}),
        ({"setup.py": ""}, {}, "pip", {"project": "whole"}),
        ({"libs/common/setup.py": ""}, {"requirements": ["libs/common"]}, "uv", {"directories": ("libs/common",)}),
        ({"setup.py": ""}, {"requirements": ["."]}, "uv", {"directories": (".",)}),
    ],
)  # fmt: skip
def test_what_is_installed_follows_from_keys_and_files(lay, files, keys, installer, wanted):
    source = lay(files)
    paths = {
        key: tuple(os.path.normpath(os.path.join(source, name)) for name in value) if key in ("files", "directories") else value
        for key, value in wanted.items()
    }
    assert _installers.choose(resolved(**keys), source, installer) == Choice(**paths)


def test_a_package_is_installed_with_its_companions():
    app = resolved(source={"package": "httpbin==0.10.2"}, packages=["gunicorn"])
    assert _installers.choose(app, "/nowhere", "uv") == Choice(requirements=("httpbin==0.10.2", "gunicorn"))


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"requirements": ["r.txt"]}, "requirements: the source has no r.txt; paths begin at the source's top"),
        ({"requirements": ["r.txt"], "working_directory": "api"}, "no r.txt; there is api/r.txt; paths begin"),
        ({"working_directory": "nope"}, "working_directory: the source has no directory nope"),
        ({"source": {"package": "x"}, "requirements": ["r.txt"]}, "r.txt is a file of the source"),
    ],
)
def test_files_that_are_not_there_are_named(lay, keys, wanted):
    with pytest.raises(StackError, match=wanted):
        _installers.choose(resolved(**keys), lay({"api/r.txt": ""}), "uv")


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

    def install(choice, uv, version="3.11.2", overrides=None, prefix="/usr", build="/b", **keys):
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
        _installers.Installer(resolved(**keys), python, build, overrides or {}, uv).install(choice)
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


@pytest.mark.parametrize(("target", "wanted"), [("/dev/zero", "a symlink to /dev/zero, outside"), ("/etc/passwd", "outside")])
def test_what_is_read_of_a_source_is_in_the_source(lay, target, wanted):
    source = lay({"app.py": ""})
    os.symlink(target, os.path.join(source, "pyproject.toml"))
    with pytest.raises(StackError, match=wanted):
        _installers.choose(resolved(), source, "uv")


def test_a_link_inside_the_source_and_a_huge_file(lay, monkeypatch):
    source = lay({"docs/project.toml": PROJECT})
    os.symlink("docs/project.toml", os.path.join(source, "pyproject.toml"))
    assert _installers.choose(resolved(), source, "uv") == Choice(project="dependencies")
    monkeypatch.setattr(_installers, "TEXT_BYTES", 20)
    with pytest.raises(StackError, match=r"pyproject\.toml has more than"):
        _installers.choose(resolved(), source, "uv")


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


COMPILER = """\
error: Failed to build `psycopg2==2.9.9`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

         [stderr]
         psycopg/psycopgmodule.c:1:10: fatal error: libpq-fe.h: No such file or directory
         error: command '/usr/bin/gcc' failed with exit code 1
"""
BACKEND = """\
error: Failed to build `shop @ file:///srv/wsgi/shop/builds/x/source`
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

         [stdout]
         running bdist_wheel

         [stderr]
           File "setup.py", line 1, in <module>
         RuntimeError: not today
"""
PIP_BACKEND = """\
  error: subprocess-exited-with-error

  \u00d7 Getting requirements to build wheel did not run successfully.
  \u2502 exit code: 1
  \u2570\u2500> [2 lines of output]
        File "setup.py", line 1, in <module>
      RuntimeError: not today
      [end of output]
"""
SETUPTOOLS = """\
  error: subprocess-exited-with-error

  \u00d7 Building wheel for badc (pyproject.toml) did not run successfully.
  \u2502 exit code: 1
  \u2570\u2500> [3 lines of output]
      building 'badc' extension
      ext.c:2:22: error: unknown type name 'nosuch'
      error: Command '['gcc', '-c', 'ext.c']' returned non-zero exit status 1.
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
  ERROR: Failed building wheel for badc
ERROR: Could not build wheels for badc, which is required to install pyproject.toml-based projects
"""
NO_SOLUTION = """\
Using Python 3.11.2 environment at: /b/venv
error: No solution found when resolving dependencies
  cause: Because the current Python version (3.11.2) does not satisfy Python>=3.12 and django==6.0 depends on Python>=3.12.
         And because you require django==6.0, we can conclude that your requirements are unsatisfiable.
"""
OLD_NO_SOLUTION = """\
  \u00d7 No solution found when resolving dependencies:
  \u2570\u2500\u25b6 Because there is no version of flask==99 and you require flask==99, we can conclude that your
      requirements are unsatisfiable.
"""
REFUSED_INDEX = """\
error: No solution found when resolving dependencies
  cause: Because privpkg was not found in the package registry and you require privpkg.

hint: An index URL (http://index/simple) could not be queried due to a lack of valid authentication credentials (401 Unauthorized)
"""
NO_VERSION = """\
ERROR: Ignored the following versions that require a different python version: 6.0 Requires-Python >=3.12
ERROR: Could not find a version that satisfies the requirement django==6.0 (from versions: 1.1.3, 5.2.19)
ERROR: No matching distribution found for django==6.0
"""
NOTHING = """\
ERROR: Could not find a version that satisfies the requirement nosuch (from versions: none)
ERROR: No matching distribution found for nosuch
"""
ENSUREPIP = """\
The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
"""


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        (COMPILER, "psycopg2==2.9.9 cannot be built: libpq-fe.h: No such file or directory; add the Debian package"),
        ("Error: pg_config executable not found.\n", "pg_config executable not found; add the Debian package"),
        ("error: command 'gcc' failed: No such file or directory\n", "gcc' failed: No such file or directory; add the Debian"),
        (BACKEND, "shop cannot be built: RuntimeError: not today; the log"),
        (PIP_BACKEND, "RuntimeError: not today; the log"),
        (SETUPTOOLS, "badc cannot be built: ext.c:2:22: error: unknown type name 'nosuch'; the log"),
        (
            NO_SOLUTION,
            "No solution found when resolving dependencies: Because the current Python version (3.11.2) does not satisfy",
        ),
        (OLD_NO_SOLUTION, "Because there is no version of flask==99 and you require flask==99; correct the requirement"),
        (REFUSED_INDEX, "(401 Unauthorized); correct the credentials in build_environment."),
        (NO_VERSION, "No matching distribution found for django==6.0; correct the requirement, or name another python."),
        (NOTHING, "No matching distribution found for nosuch; correct the requirement, or the index"),
        (ENSUREPIP, "add python3.11-venv to system_packages, or set app_installer: uv."),
        ("x\nsomething nobody has seen.\n", "something nobody has seen; the log has what was printed."),
    ],
)
def test_the_decisive_line_becomes_the_cause(output, wanted):
    cause = _installers.cause(Completed(("uv",), 1, output), "3.11.2")
    assert wanted in cause
    assert "\n" not in cause


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


def test_a_uwsgi_of_the_build_is_a_requirement_like_others(lay):
    assert _installers.choose(resolved(packages=["six"], uwsgi_install_from="venv"), lay({}), "uv").requirements == (
        "six",
        "uwsgi",
    )
    package = resolved(source={"package": "httpbin"}, uwsgi_install_from="venv")
    assert _installers.choose(package, "/nowhere", "pip").requirements == ("httpbin", "uwsgi")


HOSTILE = {
    "one line": "a" * (1 << 16),
    "words": "-a" * (1 << 15),
    "empty lines": " lines of output]\n" + "\n" * (1 << 16),
    "quotes": " lines of output]\n" * (1 << 14),
    "errors": "error: x\n" * (1 << 14),
    "causes": "  cause: Call to `a` failed \n" * (1 << 14),
}


@pytest.mark.parametrize("output", HOSTILE.values(), ids=HOSTILE)
def test_no_output_takes_long_to_be_searched(output):
    began = time.process_time()
    _installers.cause(Completed(("uv",), 1, output), "3.11.2")
    assert time.process_time() - began < 3
