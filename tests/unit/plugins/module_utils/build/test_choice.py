# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed for which source."""

from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.build import _choice
from ansible_collections.wsgi.stack.plugins.module_utils.build._choice import Choice

BUILD_SYSTEM = '[build-system]\nrequires = ["setuptools"]\n[project]\nname = "shop"\n'
PROJECT = '[project]\nname = "shop"\ndependencies = ["flask"]\n'
PATHS = ("files", "pylocks", "directories")
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
        ({"uv.lock": "", "pyproject.toml": BUILD_SYSTEM}, {"extras": ["a"], "groups": ["b"]}, "uv",
         {"lock": True, "extras": ("a",), "groups": ("b",)}),
        ({"uv.lock": "", "r.txt": "", "pyproject.toml": PROJECT}, {"requirements": ["r.txt"]}, "uv", {"files": ("r.txt",)}),
        ({"r.txt": "", "pyproject.toml": PROJECT}, {"requirements": ["r.txt", "."]}, "uv",
         {"files": ("r.txt",), "project": "dependencies"}),
        ({"pylock.toml": "", "requirements.txt": "", "pyproject.toml": BUILD_SYSTEM}, {}, "uv",
         {"pylocks": ("pylock.toml",), "project": "whole"}),
        ({"pylock.prod.toml": "", "pyproject.toml": BUILD_SYSTEM}, {"requirements": ["pylock.prod.toml"]}, "uv",
         {"pylocks": ("pylock.prod.toml",)}),
        ({"pyproject.toml": BUILD_SYSTEM, "r.txt": ""}, {"requirements": ["r.txt"]}, "uv", {"files": ("r.txt",)}),
        ({"setup.py": "", "r.txt": ""}, {"requirements": ["r.txt"]}, "pip", {"files": ("r.txt",)}),
        ({"pyproject.toml": BUILD_SYSTEM + "[tool.poetry]\npackage-mode = false\n"}, {}, "uv", {"project": "dependencies"}),
        ({"pyproject.toml": "[tool.uv]\npackage = false\n" + BUILD_SYSTEM}, {}, "uv", {"project": "dependencies"}),
        ({"pyproject.toml": BUILD_SYSTEM + "[tool.x]\npackage = false\n"}, {}, "uv", {"project": "whole"}),
        ({"pyproject.toml": BUILD_SYSTEM}, {}, "uv", {"project": "whole"}),
        ({"pyproject.toml": BUILD_SYSTEM, "requirements.txt": ""}, {}, "uv",
         {"files": ("requirements.txt",), "project": "whole"}),
        ({"pyproject.toml": PROJECT}, {}, "uv", {"project": "dependencies"}),
        ({"pyproject.toml": TOOLS}, {}, "uv", {}),
        ({"pyproject.toml": TOOLS, "setup.py": ""}, {}, "uv", {"project": "whole"}),
        ({"setup.py": ""}, {}, "pip", {"project": "whole"}),
        ({"libs/common/setup.py": ""}, {"requirements": ["libs/common"]}, "uv", {"directories": ("libs/common",)}),
        ({"setup.py": ""}, {"requirements": ["."]}, "uv", {"project": "whole"}),
        ({"api/setup.py": ""}, {"requirements": ["api"], "working_directory": "api", "extras": ["x"]}, "uv",
         {"project": "whole", "extras": ("x",)}),
    ],
)  # fmt: skip
def test_what_is_installed_follows_from_keys_and_files(lay, files, keys, installer, wanted):
    source = lay(files)
    paths = {
        key: tuple(os.path.normpath(os.path.join(source, name)) for name in value) if key in PATHS else value
        for key, value in wanted.items()
    }
    assert _choice.choose(resolved(**keys), source, installer) == Choice(**paths)


def test_a_package_is_installed_with_its_companions():
    app = resolved(source={"package": "httpbin==0.10.2"}, packages=["gunicorn"])
    assert _choice.choose(app, "/nowhere", "uv") == Choice(requirements=("httpbin==0.10.2", "gunicorn"))


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"requirements": ["r.txt"]}, "requirements: the source has no r.txt; paths begin at the source's top"),
        ({"requirements": ["r.txt"], "working_directory": "api"}, "no r.txt; there is api/r.txt; paths begin"),
        ({"working_directory": "nope"}, "working_directory: the source has no directory nope"),
        ({"source": {"package": "x"}, "requirements": ["r.txt"]}, "r.txt is a file of the source"),
        (
            {"extras": ["x"], "working_directory": "api", "requirements": ["."]},
            "extras: x would be of a project in working_directory, api, and none is installed from there; name that directory in",
        ),
    ],
)
def test_what_is_not_there_is_named(lay, keys, wanted):
    with pytest.raises(StackError, match=wanted):
        _choice.choose(resolved(**keys), lay({"api/r.txt": ""}), "uv")


@pytest.mark.parametrize(("target", "wanted"), [("/dev/zero", "a symlink to /dev/zero, outside"), ("/etc/passwd", "outside")])
def test_what_is_read_of_a_source_is_in_the_source(lay, target, wanted):
    source = lay({"app.py": ""})
    os.symlink(target, os.path.join(source, "pyproject.toml"))
    with pytest.raises(StackError, match=wanted):
        _choice.choose(resolved(), source, "uv")


def test_a_link_inside_the_source_and_a_huge_file(lay, monkeypatch):
    source = lay({"docs/project.toml": PROJECT})
    os.symlink("docs/project.toml", os.path.join(source, "pyproject.toml"))
    assert _choice.choose(resolved(), source, "uv") == Choice(project="dependencies")
    monkeypatch.setattr(_choice, "TEXT_BYTES", 20)
    with pytest.raises(StackError, match=r"pyproject\.toml has more than"):
        _choice.choose(resolved(), source, "uv")


def test_a_uwsgi_of_the_build_is_a_requirement_like_others(lay):
    assert _choice.choose(resolved(packages=["six"], uwsgi_install_from="venv"), lay({}), "uv").requirements == (
        "six",
        "uwsgi",
    )
    package = resolved(source={"package": "httpbin"}, uwsgi_install_from="venv")
    assert _choice.choose(package, "/nowhere", "pip").requirements == ("httpbin", "uwsgi")


def test_pip_reads_no_lock_of_uv(lay):
    with pytest.raises(StackError, match=r"requirements: pip does not read pylock\.toml; set app_installer: uv"):
        _choice.choose(resolved(requirements=["pylock.toml"]), lay({"pylock.toml": ""}), "pip")


@pytest.mark.parametrize(
    ("files", "keys", "installer", "told"),
    [
        (
            ["poetry.lock"],
            {},
            "uv",
            "app shop: poetry.lock is not read; to install the versions in it, write them to a file with",
        ),
        (["Pipfile.lock", "requirements.txt"], {}, "uv", "app shop: Pipfile.lock is not read; requirements.txt is read instead,"),
        (["uv.lock"], {}, "pip", "app shop: uv.lock is not read; to install the versions in it, set app_installer: uv."),
        (["pylock.toml"], {}, "pip", "app shop: pylock.toml is not read; "),
        (["poetry.lock", "requirements.txt"], {"requirements": ["requirements.txt"]}, "uv", ""),
        (["poetry.lock", "uv.lock"], {}, "uv", ""),
        (["Pipfile", "Pipfile.lock"], {}, "uv", "app shop: Pipfile.lock is not read; "),
        (
            ["Pipfile"],
            {},
            "uv",
            "app shop: Pipfile is not read; to install what is in it, write its packages to requirements.txt.",
        ),
        (["environment.yml"], {}, "pip", "app shop: environment.yml is not read; to install what is in it, write its packages"),
        (["environment.yml", "requirements.txt"], {}, "uv", ""),
        (["Pipfile", "setup.py"], {}, "uv", ""),
        (["Pipfile"], {"requirements": []}, "uv", ""),
        (["poetry.lock", "pylock.toml"], {}, "uv", ""),
    ],
)
def test_a_file_that_is_not_read_is_told(lay, files, keys, installer, told):
    unread = _choice.choose(resolved(**keys), lay(dict.fromkeys(files, "")), installer).unread
    assert unread.startswith(told)
    assert bool(unread) == bool(told)


@pytest.mark.parametrize(
    ("files", "choice", "used"),
    [
        ({"r.txt": "six\n-r more/b.txt\n", "more/b.txt": "a @ git+ssh://git@host/a.git\n"}, {"files": ("r.txt",)}, True),
        ({"r.txt": "-r r.txt\n-r https://x/y\n-r ../../x\ngit+https://host/a.git\n"}, {"files": ("r.txt",)}, False),
        ({"r.txt": "", "pyproject.toml": "a @ git+ssh://git@host/a.git"}, {"files": ("r.txt",)}, False),
        ({"pyproject.toml": "a @ git+ssh://git@host/a.git"}, {"project": "whole"}, True),
        ({"uv.lock": 'source = { git = "ssh://git@host/a.git" }'}, {"lock": True}, True),
        ({}, {"requirements": ("a @ git+ssh://git@host/a.git",)}, True),
        ({}, {"requirements": ("six",)}, False),
    ],
)
def test_the_deploy_key_is_for_what_names_a_repository_behind_ssh(lay, files, choice, used):
    source = lay(files)
    choice = {
        key: tuple(os.path.join(source, name) for name in value) if key in PATHS else value for key, value in choice.items()
    }
    assert _choice.uses_ssh(source, source, Choice(**choice)) is used
