# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build's name depends on, what is planned, and what is left of a failure."""

from __future__ import annotations

import json
import os
import pwd

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.build import _assemble, _build, _git, _stamp, _uv

PYTHON = {"executable": "/usr/bin/python3.11", "version": "3.11.2", "soabi": "cpython-311-x86_64-linux-gnu"}
COMMIT = "60b442d1065409274a2e1a3113dbb057ca55788d"


class Interpreters:
    def __init__(self, missing=()):
        self.missing = missing

    def probe(self, python):
        if python in self.missing:
            raise StackError("python", f"there is no {python}.")
        return PYTHON


@pytest.fixture
def resolve(tmp_path):
    """Resolved apps on a host whose root is a temporary directory, and whose users are all there."""

    def resolve(*apps):
        given = [{"source": {"package": "flask"}, "entry_point": "a:b", "mount": f"/{app['name']}", **app} for app in apps]
        resolved = _resolve.resolve(given, directory=str(tmp_path / "srv"))
        for app in resolved:
            os.makedirs(os.path.join(app["directory"], "builds"))
        return resolved

    return resolve


@pytest.fixture
def users(monkeypatch):
    """The accounts that the host has; by default, each app's own."""
    found = {}

    def getpwnam(name):
        if found.get(name, name) is None:
            raise KeyError(name)
        return pwd.struct_passwd((name, "x", 1000, 1000, "", found.get(name) or found["directory"] + "/" + name, "/bin/sh"))

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    return found


def request(**changes):
    given = {"secrets": {}, "directories": {}, "installer": "uv", "uv_version": "1", "jobs": 1, "check_mode": False}
    return _build.BuildRequest(**{**given, "interpreters": Interpreters(), **changes})


def put_build(app, digest, **stamp):
    path = os.path.join(app["directory"], "builds", digest)
    os.makedirs(path)
    content = {"digest": digest, "revision": "old", "python": "3.11.2", "made": 1, "static": [], **stamp}
    with open(os.path.join(path, "build.json"), "w", encoding="utf-8") as stream:
        json.dump(content, stream)


@pytest.fixture
def app(resolve):
    return resolve({"name": "shop"})[0]


@pytest.mark.parametrize(
    "change",
    [
        {"requirements": ["requirements.txt"]},
        {"requirements": []},
        {"packages": ["gunicorn"]},
        {"working_directory": "backend"},
        {"build_commands": ["make"]},
        {"shared_paths": ["media"]},
        {"source": {"kind": "git"}},
    ],
)
def test_what_goes_into_a_build_changes_its_name(app, change):
    before = _build.digest(app, COMMIT, PYTHON, "uv", {})
    assert _build.digest({**app, **change}, COMMIT, PYTHON, "uv", {}) != before


def test_revision_interpreter_and_installer_change_the_name(app):
    names = {
        _build.digest(app, COMMIT, PYTHON, "uv", {}),
        _build.digest(app, "HEAD", PYTHON, "uv", {}),
        _build.digest(app, COMMIT, {**PYTHON, "version": "3.11.3"}, "uv", {}),
        _build.digest(app, COMMIT, {**PYTHON, "executable": "/opt/python3.11"}, "uv", {}),
        _build.digest(app, COMMIT, PYTHON, "pip", {}),
    }
    assert len(names) == 5


@pytest.mark.parametrize("key", ["environment", "processes", "static", "release_commands", "domains", "system_packages", "name"])
def test_what_belongs_to_the_release_or_to_the_site_does_not_change_the_name(app, key):
    assert _build.digest({**app, key: ["other"]}, COMMIT, PYTHON, "uv", {}) == _build.digest(app, COMMIT, PYTHON, "uv", {})


def test_variables_change_the_name_of_a_build_with_commands_alone(app):
    def names(**keys):
        given = ({}, {"environment": {"A": "1"}}, {"environment": {"A": "2"}})
        return {_build.digest({**app, **keys}, COMMIT, PYTHON, "uv", secrets) for secrets in given}

    assert len(names()) == 1
    assert len(names(build_commands=["make"])) == 3


def test_files_change_the_name_of_a_build(app):
    given = ({}, {"files": {"a": "1"}}, {"files": {"a": "2"}}, {"files": {"b": "2"}})
    assert len({_build.digest(app, COMMIT, PYTHON, "uv", secrets) for secrets in given}) == 4


def test_a_template_that_does_not_render_fails_its_app(resolve, users, tmp_path):
    users["directory"] = str(tmp_path / "srv")
    result = _build.build(resolve({"name": "shop"}), request(secrets={"shop": {"error": "a: 'x' is undefined."}}))
    assert [failure["message"] for failure in result["failures"]] == ["app shop: files: a: 'x' is undefined."]


def test_a_password_in_a_requirement_does_not_change_the_name(app):
    one, two = ({**app, "packages": [f"x @ https://{password}@host/x.whl"]} for password in ("hunter22", "hunter33"))
    assert _build.digest(one, COMMIT, PYTHON, "uv", {}) == _build.digest(two, COMMIT, PYTHON, "uv", {})


def test_a_build_that_is_there_is_unchanged(resolve, users, tmp_path):
    users["directory"] = str(tmp_path / "srv")
    apps = resolve({"name": "shop"})
    put_build(apps[0], _build.digest(apps[0], "flask", PYTHON, "uv", {}))
    result = _build.build(apps, request())
    assert not result["changed"]
    assert not result["builds"]["shop"]["changed"]
    assert result["diff"] == {"before": {}, "after": {}}


def test_check_mode_says_what_would_be_built_and_from_what(resolve, users, tmp_path):
    users["directory"] = str(tmp_path / "srv")
    apps = resolve({"name": "shop"})
    put_build(apps[0], "earlier", made=1)
    put_build(apps[0], "latest", made=2)
    result = _build.build(apps, request(check_mode=True))
    digest = _build.digest(apps[0], "flask", PYTHON, "uv", {})
    assert result["changed"]
    assert result["builds"]["shop"]["digest"] == digest
    assert result["diff"]["before"] == {"shop": {"digest": "latest", "revision": "old", "python": "3.11.2"}}
    assert result["diff"]["after"] == {"shop": {"digest": digest, "revision": "flask", "python": "3.11.2"}}
    assert sorted(os.listdir(os.path.join(apps[0]["directory"], "builds"))) == ["earlier", "latest"]


def test_check_mode_on_a_bare_host_fails_for_nothing_that_a_run_would_bring(resolve, users, monkeypatch):
    users.update(dict.fromkeys(("branch", "commit", "python"), None))
    monkeypatch.setattr(_git, "installed", lambda: False)
    apps = resolve(
        {"name": "branch", "source": {"git": "/nowhere"}},
        {"name": "commit", "source": {"git": "/nowhere", "version": COMMIT}},
        {"name": "python", "python": "python3.99", "system_packages": ["python3.99"]},
    )
    result = _build.build(apps, request(check_mode=True, interpreters=Interpreters(missing=["python3.99"])))
    assert result["failures"] == []
    assert result["changed"]
    assert result["builds"]["branch"] == {
        "digest": None,
        "path": None,
        "revision": None,
        "python": PYTHON,
        "changed": True,
    }
    assert result["builds"]["commit"]["revision"] == COMMIT
    assert result["builds"]["commit"]["digest"]
    assert result["builds"]["python"]["python"] is None


def test_check_mode_fails_for_an_interpreter_that_nothing_brings(resolve, users):
    users["shop"] = None
    result = _build.build(resolve({"name": "shop"}), request(check_mode=True, interpreters=Interpreters(missing=["python3"])))
    assert [failure["step"] for failure in result["failures"]] == ["python"]


@pytest.mark.parametrize(
    ("home", "wanted"), [(None, "there is no user shop"), ("/home/shop", "already exists with the home /home/shop")]
)
def test_an_app_without_a_user_of_its_own_is_refused(resolve, users, home, wanted):
    users["shop"] = home
    (failure,) = _build.build(resolve({"name": "shop"}), request())["failures"]
    assert failure["step"] == "user"
    assert wanted in failure["message"]


def test_directories_are_asked_for_before_anything_is_done(resolve, users, tmp_path, monkeypatch):
    users["directory"] = str(tmp_path / "srv")
    monkeypatch.setattr(_build, "make", lambda spec: pytest.fail("something was done"))
    apps = resolve({"name": "shop", "source": {"directory": str(tmp_path)}}, {"name": "blog"})
    assert _build.build(apps, request(directories={"shop": {"digest": "a"}})) == {"changed": False, "needed": ["shop"]}


def test_one_app_fails_alone_and_without_its_secrets(resolve, users, tmp_path, monkeypatch):
    users["directory"] = str(tmp_path / "srv")
    made = []

    def make(spec):
        if spec.app["name"] == "bad":
            raise StackError("install", "https://reader:hunter22@index/ said no.", "used hunter22")
        if spec.app["name"] == "full":
            raise OSError(28, "No space left on device")
        made.append(spec.app["name"])
        return True

    monkeypatch.setattr(_build, "make", make)
    monkeypatch.setattr(_uv, "ensure", lambda version: "/uv")
    secrets = {"bad": {"build_environment": {"UV_DEFAULT_INDEX": "https://reader:hunter22@index/"}}}
    result = _build.build(resolve({"name": "bad"}, {"name": "full"}, {"name": "good"}), request(secrets=secrets))
    assert made == ["good"]
    assert list(result["builds"]) == ["good"]
    assert [(failure["app"], failure["step"]) for failure in result["failures"]] == [("bad", "install"), ("full", "build")]
    assert "hunter22" not in json.dumps(result)
    assert "No space left" in result["failures"][1]["message"]


def test_uv_that_cannot_be_installed_fails_the_apps_that_are_to_be_built(resolve, users, tmp_path, monkeypatch):
    users["directory"] = str(tmp_path / "srv")

    def ensure(version):
        raise StackError("install", "uv 1 cannot be installed.")

    monkeypatch.setattr(_uv, "ensure", ensure)
    apps = resolve({"name": "shop"}, {"name": "blog"})
    put_build(apps[1], _build.digest(apps[1], "flask", PYTHON, "uv", {}))
    result = _build.build(apps, request())
    assert [failure["app"] for failure in result["failures"]] == ["shop"]
    assert list(result["builds"]) == ["blog"]


def test_a_repository_is_asked_with_the_deploy_key(resolve, users, tmp_path, monkeypatch):
    users["directory"] = str(tmp_path / "srv")
    seen = []

    class Repository:
        def __init__(self, app, key, check):
            seen.append((app["source"]["git"], key, check))

        def resolve(self, version):
            return COMMIT

    monkeypatch.setattr(_git, "Repository", Repository)
    monkeypatch.setattr(_git, "installed", lambda: True)
    apps = resolve({"name": "shop", "source": {"git": "ssh://host/x"}})
    result = _build.build(apps, request(check_mode=True, secrets={"shop": {"deploy_key": "KEY"}}))
    assert seen == [("ssh://host/x", "KEY", True)]
    assert result["builds"]["shop"]["revision"] == COMMIT


def spec(app, **changes):
    given = {"digest": "new", "revision": "flask", "python": PYTHON, "secrets": {}, "archive": None, "uv": "/uv"}
    return _assemble.BuildSpec(app=app, **{**given, **changes})


def test_nothing_is_left_of_a_build_that_fails_or_was_killed(app, monkeypatch):
    builds = os.path.join(app["directory"], "builds")
    put_build(app, "complete")
    os.makedirs(os.path.join(builds, "of-somebody-else"))
    os.makedirs(os.path.join(builds, "0123456789abcdef/venv/bin"))

    def assemble(spec, path):
        os.makedirs(os.path.join(path, "source"))
        raise StackError("install", "no.")

    monkeypatch.setattr(_assemble, "_assemble", assemble)
    with pytest.raises(StackError):
        _assemble.make(spec(app))
    assert sorted(os.listdir(builds)) == ["complete", "of-somebody-else"]


def test_the_stamp_comes_last_and_the_next_run_has_nothing_to_do(app, monkeypatch):
    seen = []

    def assemble(spec, path):
        os.makedirs(path)
        seen.append(os.listdir(path))

    monkeypatch.setattr(_assemble, "_assemble", assemble)
    monkeypatch.setattr(os, "chown", lambda *arguments: None)
    assert _assemble.make(spec(app)) is True
    assert _assemble.make(spec(app)) is False
    assert seen == [[]]
    stamp = _stamp.read_stamp(os.path.join(app["directory"], "builds", "new"))
    assert stamp["revision"] == "flask"
    assert stamp["python"] == "3.11.2"


def test_a_static_directory_that_is_added_later_is_opened_in_the_same_build(resolve, monkeypatch):
    (app,) = resolve({"name": "shop", "static": [{"url": "/static/", "directory": "static"}]})
    put_build(app, "new")
    opened = []
    monkeypatch.setattr(_assemble._permissions, "publish", lambda path, directory: opened.append(directory))
    monkeypatch.setattr(os, "chown", lambda *arguments: None)
    assert _assemble.make(spec(app)) is True
    assert _assemble.make(spec(app)) is False
    assert opened == ["static"]
