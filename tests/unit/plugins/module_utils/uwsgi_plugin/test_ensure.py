# SPDX-License-Identifier: GPL-3.0-or-later
"""What is built for whom, of what, and what is not."""

from __future__ import annotations

import os

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build._interpreter import Prober
from ansible_collections.wsgi.stack.plugins.module_utils.host import _packages
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import (
    _compile,
    _diagnosis,
    _ensure,
    _file,
    _plan,
    _remove,
    _requests,
    _sources,
)
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin._uwsgi_binary import Core
from ansible_collections.wsgi.stack.tests.apps import resolved


def interpreter(prefix, version, **more):
    name = f"python{'.'.join(version.split('.')[:2])}"
    return {
        "executable": f"{prefix}/bin/{name}",
        "version": version,
        "implementation": "CPython",
        "soabi": "cpython",
        "prefix": prefix,
        "library": f"{prefix}/lib/lib{name}.so.1.0",
        "include": f"{prefix}/include/{name}",
        "gil": True,
        "debug": False,
        **more,
    }


PYTHONS = {
    "python3.9": interpreter("/usr", "3.9.2"),
    "python3.13": interpreter("/usr", "3.13.5"),
    "/opt/py/bin/python": interpreter("/opt/py", "3.13.5"),
    "/opt/p_y/bin/python": interpreter("/opt/p_y", "3.13.5"),
    "/opt/p-y/bin/python": interpreter("/opt/p-y", "3.13.5"),
    "pypy3": interpreter("/usr/lib/pypy3", "3.9.16", implementation="PyPy"),
}


class Interpreters(Prober):
    """Of a host that has some."""

    def probe(self, python):
        if python not in PYTHONS:
            raise StackError("python", f"there is no {python}.")
        return PYTHONS[python]


@pytest.fixture
def core(monkeypatch, tmp_path):
    """A host with uWSGI 2.0.21 and its sources, and without what builds plugins."""
    tree = tmp_path / "src"
    for name in ("python", "gevent", "asyncio", "cgi"):
        (tree / "plugins" / name).mkdir(parents=True)
        (tree / "plugins" / name / "uwsgiplugin.py").write_text(f"NAME = '{name}'\n")
    (tree / "uwsgiconfig.py").write_text("uwsgi_version = '2.0.21'\n")
    found = Core("2.0.21-debian", "5c9b", ("-DUWSGI_PCRE", "-DUWSGI_UUID"), str(tmp_path / "plugins"))
    os.mkdir(found.directory)
    monkeypatch.setattr(_sources, "DISTRIBUTION", str(tree))
    monkeypatch.setattr(_sources, "DIRECTORY", str(tmp_path / "lib"))
    monkeypatch.setattr(_ensure._uwsgi_binary, "read", lambda: found)
    monkeypatch.setattr(_file, "wrong_permissions", lambda path: [])
    monkeypatch.setattr(_file, "owners", lambda paths: {})
    monkeypatch.setattr(_packages, "installed", lambda names: set())
    monkeypatch.setattr(_packages, "installable", lambda names: set(names) - {"libpython3.9-dev"})
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)
    return found


@pytest.fixture
def compiler(monkeypatch):
    """A compiler that notes what it compiles, and a uWSGI that loads it."""
    compiled = []

    def compile_draft(spec, directory):
        compiled.append(spec.name)
        path = os.path.join(directory, os.path.basename(spec.path))
        with open(path, "wb") as stream:
            stream.write(b"\x7fELF")
        return path

    monkeypatch.setattr(_compile, "compile_draft", compile_draft)
    monkeypatch.setattr(_compile, "unfit", lambda spec, path: None)
    return compiled


def options(*pythons, plugins=("python",), source="distribution", check_mode=False, apps=None, **more):
    requests = _requests.requests(list(pythons), apps)
    return _requests.PluginOptions(requests, plugins, source, 2, check_mode, interpreters=Interpreters(), **more)


def actions(result):
    return {plugin["name"]: plugin["action"] for plugin in result["plugins"]}


def test_each_plugin_is_built_once_and_named_after_its_interpreter(core, compiler):
    wanted = ("python3.9", "/opt/py/bin/python")
    result, failures = _ensure.present(options(*wanted, plugins=["gevent", "python", "cgi"]))
    assert failures.found == []
    assert result["changed"]
    names = {"python39", "gevent_python39", "python313_opt_py", "gevent_python313_opt_py", "cgi"}
    assert actions(result) == dict.fromkeys(names, "built")
    assert sorted(compiler) == sorted(names)
    assert set(os.listdir(core.directory)) == {f"{name}_plugin.so" for name in names}
    assert os.stat(f"{core.directory}/python39_plugin.so").st_mode & 0o7777 == 0o644

    again, failures = _ensure.present(options(*wanted, plugins=["gevent", "python", "cgi"]))
    assert not again["changed"]
    assert actions(again) == dict.fromkeys(names, "present")
    assert again["diff"] == {"before": {}, "after": {}}
    assert len(compiler) == len(names)


def test_what_changed_is_built_anew_and_told(core, compiler, monkeypatch):
    _ensure.present(options("python3.9", "python3.13"))
    monkeypatch.setitem(PYTHONS, "python3.9", {**PYTHONS["python3.9"], "version": "3.9.5"})
    for check_mode, action in [(True, "would build"), (False, "built")]:
        result, _failures = _ensure.present(options("python3.9", "python3.13", check_mode=check_mode))
        assert actions(result) == {"python39": action, "python313": "present"}
        assert result["plugins"][0]["message"] == "the interpreter: was 3.9.2, is 3.9.5"
        before, after = (result["diff"][key]["python39"]["interpreter"]["version"] for key in ("before", "after"))
        assert (before, after) == ("3.9.2", "3.9.5")
    assert compiler.count("python39") == 2


def test_a_change_of_pythons_sources_concerns_what_stands_on_it(core, compiler):
    _ensure.present(options("python3.9", plugins=["python", "asyncio", "cgi"]))
    with open(f"{_sources.DISTRIBUTION}/plugins/python/uwsgi_python.h", "w", encoding="utf-8") as stream:
        stream.write("/* changed */")
    result, _failures = _ensure.present(options("python3.9", plugins=["python", "asyncio", "cgi"], check_mode=True))
    assert actions(result) == {"python39": "would build", "asyncio_python39": "would build", "cgi": "present"}


def test_an_app_fails_alone(core, compiler):
    apps = [
        resolved(name, python=python, system_packages=packages)
        for name, python, packages in [
            ("good", "python3.9", []),
            ("same", "python3.9", []),
            ("gone", "python3.99", []),
            ("coming", "python3.98", ["python3.98"]),
            ("other", "pypy3", []),
        ]
    ]
    result, failures = _ensure.present(options(apps=apps))
    assert actions(result) == {"python39": "built"}
    assert failures.labels == {"gone", "coming", "other"}
    messages = {app: failure.cause for app, failure in failures.found}
    assert messages["other"] == "pypy3 is PyPy, which has no libpython to link uWSGI's plugin with; name a CPython."

    result, failures = _ensure.present(options(apps=apps, check_mode=True))
    assert failures.labels == {"gone", "other"}
    assert [plugin["action"] for plugin in result["plugins"]] == ["present", "would build"]
    assert result["plugins"][1]["message"] == "the interpreter is not installed yet"


def test_a_plugin_that_fails_keeps_none_of_the_others(core, compiler, monkeypatch):
    monkeypatch.setattr(_compile, "unfit", lambda spec, path: ("it is bad", "log") if spec.plugin == "gevent" else None)
    result, failures = _ensure.present(options("python3.9", plugins=["gevent", "python"]))
    assert actions(result) == {"python39": "built"}
    assert result["changed"]
    assert [failure.cause for _label, failure in failures.found] == [
        "the plugin gevent_python39 was built, but it is bad; name another python, or set uwsgi_install_from: venv."
    ]
    assert os.listdir(core.directory) == ["python39_plugin.so"]


def test_interpreters_of_one_name_are_not_taken_for_each_other(core, compiler):
    _result, failures = _ensure.present(options("/opt/p_y/bin/python", "/opt/p-y/bin/python"))
    assert [label for label, _failure in failures.found] == ["/opt/p-y/bin/python"]
    assert "a plugin of the same name as /opt/p_y/bin/python3.13, python313_opt_p_y;" in failures.found[0][1].cause


def test_a_plugin_that_there_is_not_is_refused_before_anything_is_built(core, compiler):
    _result, failures = _ensure.present(options("python3.9", plugins=["gevnt"]))
    assert failures.found[0][1].cause == "there is no plugin gevnt in the sources of uWSGI 2.0.21; did you mean gevent?"
    _result, failures = _ensure.present(options("python3.9", plugins=["nothing"]))
    assert failures.found[0][1].cause.endswith(f"name a directory of {_sources.DISTRIBUTION}/plugins.")
    assert compiler == []


def test_somebody_elses_file_is_kept_once(core, compiler):
    path = f"{core.directory}/python39_plugin.so"
    for content, kept in [("first", "kept as {}"), ("second", "not kept, because {} already exists")]:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(content)
        result, _failures = _ensure.present(options("python3.9"))
        expected = f"the existing file was not built by this module; it is {kept.format('python39_plugin.so.orig')}"
        assert result["plugins"][0]["message"] == expected
        with open(f"{path}.orig", encoding="utf-8") as stream:
            assert stream.read() == "first"
    assert _file.read(path).stamp["name"] == "python39"


@pytest.mark.parametrize("fits", [True, False])
def test_a_packages_file_is_used_or_refused_and_never_replaced(core, compiler, monkeypatch, fits):
    path = f"{core.directory}/python39_plugin.so"
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("packaged")
    monkeypatch.setattr(_file, "owners", lambda paths: {path: "uwsgi-plugin-python3"})
    monkeypatch.setattr(_compile, "unfit", lambda spec, path: None if fits else ("it does not load", "log"))
    result, failures = _ensure.present(options("python3.9"))
    assert actions(result) == ({"python39": "packaged"} if fits else {})
    wanted = f"{path} comes from the package uwsgi-plugin-python3 and does not fit: it does not load; bring that package and"
    assert [failure.cause.startswith(wanted) for _label, failure in failures.found] == ([] if fits else [True])
    assert compiler == []


def test_packages_are_asked_for_only_to_build(core, compiler):
    wanted = ["gcc", "libc6-dev", "libpcre3-dev", "uuid-dev", "uwsgi-src"]  # apt has no libpython3.9-dev here
    check, _failures = _ensure.present(options("python3.9", install=True, check_mode=True))
    assert check["build_dependencies"] == wanted
    assert _ensure.present(options("python3.9", install=True))[0] == {"changed": False, "needed": wanted}
    assert compiler == []
    result, _failures = _ensure.present(options("python3.9", install=True, installed=wanted))
    assert actions(result) == {"python39": "built"}
    assert result["build_dependencies"] == wanted
    again, _failures = _ensure.present(options("python3.9", install=True))
    assert again["build_dependencies"] == []


def test_what_building_lacks_is_named_at_once(core):
    spec = _plan.spec_for("python", PYTHONS["python3.9"], _plan.choose("distribution", core, PYTHONS["python3.9"]), core)
    found = _diagnosis.diagnose(f"{_diagnosis.STARTED}fatal error: uuid/uuid.h: No such file", spec.python, "2.0.21", "")
    failure = _compile.refusal(spec, found, "log")
    wanted = "install the packages uuid-dev, gcc, libc6-dev, libpcre3-dev and uwsgi-src, or set install_build_dependencies: true."
    assert failure.cause == f"the plugin python39 cannot be built: the header uuid/uuid.h is missing; {wanted}"
    found = _diagnosis.diagnose(f"{_diagnosis.STARTED}fatal error: Python.h: No such file", spec.python, "2.0.21", "")
    wanted = "and apt knows no package libpython3.9-dev; add the package source that has it."
    assert _compile.refusal(spec, found, "log").cause.endswith(wanted)


def test_before_uwsgi_is_installed(core, compiler, monkeypatch):
    def read():
        raise StackError("plugin", "there is no uWSGI.")

    monkeypatch.setattr(_ensure._uwsgi_binary, "read", read)
    result, failures = _ensure.present(options("python3.9", "python3.13", check_mode=True, install=True))
    assert failures.found == []
    assert {plugin["message"] for plugin in result["plugins"]} == {"uWSGI is not installed yet"}
    assert len(result["diff"]["after"]) == 2
    _result, failures = _ensure.present(options("python3.9", "python3.13"))
    assert failures.labels == {"python3.9", "python3.13"}
    assert _remove.absent(options("python3.9"))[0]["changed"] is False


def test_the_sources(core):
    old, new = PYTHONS["python3.9"], PYTHONS["python3.13"]
    assert _plan.choose("auto", core, old).packaged
    assert _plan.choose("distribution", core, new).packaged
    assert _plan.choose("auto", core, new).release == _sources.RELEASE
    assert _plan.choose("pypi", core, old).release == _sources.RELEASE
    assert _plan.choose("2.0.30", core, old).tree == f"{_sources.DIRECTORY}/uwsgi-2.0.30"


def test_sources_that_were_removed_since_do_no_harm(core, compiler, monkeypatch):
    _ensure.present(options("python3.9"))
    monkeypatch.setattr(_sources, "DISTRIBUTION", "/nowhere")
    assert actions(_ensure.present(options("python3.9"))[0]) == {"python39": "present"}
    _result, failures = _ensure.present(options("python3.13"))
    wanted = "the plugin python313 cannot be built: there are no sources of uWSGI in /nowhere; install the packages uwsgi-src, "
    assert failures.found[0][1].cause.startswith(wanted)


def test_only_what_was_built_here_is_removed(core, compiler, monkeypatch):
    _ensure.present(options("python3.9", plugins=["python", "gevent"]))
    with open(f"{core.directory}/python313_plugin.so", "w", encoding="utf-8") as stream:
        stream.write("somebody's")
    wanted = ("python3.9", "python3.13", "/opt/py/bin/python")
    check, _failures = _remove.absent(options(*wanted, check_mode=True))
    assert actions(check) == {"python39": "would remove", "python313": "present", "python313_opt_py": "absent"}
    result, _failures = _remove.absent(options(*wanted))
    assert result["changed"]
    assert sorted(os.listdir(core.directory)) == ["gevent_python39_plugin.so", "python313_plugin.so"]
    monkeypatch.delitem(PYTHONS, "python3.9")
    gone, failures = _remove.absent(options("python3.9", plugins=["gevent"]))
    assert (actions(gone), failures.found) == ({"gevent_python39": "removed"}, [])
    assert os.listdir(core.directory) == ["python313_plugin.so"]


@pytest.mark.parametrize(
    ("plugins", "source", "wanted"),
    [
        (["../x"], "pypi", r"plugins: '\.\./x' is not the name of a plugin; name a directory"),
        (["pypy"], "pypi", "plugins: pypy is not built"),
        (["python"], "git", "source: 'git' is unknown; set distribution, pypi, auto or a release"),
    ],
)
def test_what_makes_no_sense_is_refused_first(plugins, source, wanted):
    with pytest.raises(StackError, match=wanted):
        _requests.check(options("python3.9", plugins=plugins, source=source))
    _requests.check(options("python3.9", plugins=["python", "gevent"], source="2.0.31"))


@pytest.mark.parametrize(
    ("python", "wanted"),
    [
        (interpreter("/usr", "3.9.2"), ("-g0", "")),
        (
            interpreter("/opt/py", "3.13.5"),
            ("-g0 -I/opt/py/include/python3.13", "-L/opt/py/lib -Wl,-rpath,/opt/py/lib"),
        ),
        (interpreter("/opt/py", "3.13.5", library=""), ("-g0 -I/opt/py/include/python3.13", "")),
    ],
)
def test_an_interpreter_elsewhere_gets_its_own_library(python, wanted):
    found = _compile.variables(python)
    assert (found["CFLAGS"], found["LDFLAGS"]) == wanted


def test_what_stands_on_python_needs_it(core, compiler):
    _result, failures = _ensure.present(options("python3.9", plugins=["gevent"]))
    wanted = f"the plugin gevent_python39 needs {core.directory}/python39_plugin.so, which is missing; add python to plugins"
    assert failures.found[0][1].cause.startswith(wanted)
    assert os.listdir(core.directory) == []


@pytest.mark.parametrize("key", ["library", "include", "executable"])
def test_a_place_that_the_builder_cannot_take_is_refused(core, key):
    python = {**PYTHONS["/opt/py/bin/python"], key: "/opt/p y/x"}
    spec = _plan.spec_for("python", python, _plan.choose("distribution", core, python), core)
    with pytest.raises(StackError, match="/opt/p y/x contains a blank or a quote"):
        _compile.compile_draft(spec, core.directory)


def test_the_drafts_of_a_run_that_was_killed_go(core):
    os.mkdir(f"{core.directory}/{_compile.SCRATCH}x")
    for path in (f"{core.directory}/{_compile.SCRATCH}x/draft", f"{core.directory}/other"):
        with open(path, "w", encoding="utf-8"):
            pass
    _compile.clean(core)
    assert os.listdir(core.directory) == ["other"]


def test_pips_configuration_becomes_variables():
    listed = "global.index-url='https://u:p@index.example.com/simple'\nglobal.extra-index-url='a\\nb'\ninstall.user='true'\n"
    wanted = {"PIP_INDEX_URL": "https://u:p@index.example.com/simple", "PIP_EXTRA_INDEX_URL": "a\nb"}
    assert _sources.configuration(listed) == wanted
    assert _sources.configuration("") == {}


def test_what_apt_can_install():
    policy = (
        "uuid-dev:\n  Installed: (none)\n  Candidate: 2.41.5\n  Version table:\n     2.41.5 500\n"
        "libpcre3-dev:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n"
    )
    assert _packages.candidates(policy) == {"uuid-dev"}
    assert _packages.listed(["b", "a", "b"]) == "the packages b and a"
    assert _packages.listed(["b"]) == "the package b"


def test_what_the_disk_refuses_is_a_failure_like_others(core, compiler, monkeypatch):
    def refuse(_core):
        raise OSError(30, "Read-only file system", core.directory)

    monkeypatch.setattr(_compile, "draft_directory", refuse)
    result, failures = _ensure.present(options("python3.9", plugins=["python", "gevent"]))
    assert (result["changed"], result["plugins"]) == (False, [])
    wanted = f"Read-only file system: {core.directory}; fix that and run again."
    assert [(label, failure.cause) for label, failure in failures.found] == [("python3.9", wanted)]


def test_a_plugin_without_python_is_the_same_for_all_interpreters(core, compiler):
    result, _failures = _ensure.present(options("python3.9", "/opt/py/bin/python", plugins=["cgi"]))
    assert actions(result) == {"cgi": "built"}
    assert not _ensure.present(options("/opt/py/bin/python", plugins=["cgi"]))[0]["changed"]


def test_a_draft_that_does_not_fit_leaves_what_was_there(core, compiler, monkeypatch):
    with open(f"{core.directory}/python39_plugin.so", "w", encoding="utf-8") as stream:
        stream.write("somebody's")
    monkeypatch.setattr(_compile, "unfit", lambda spec, path: ("it is bad", ""))
    _ensure.present(options("python3.9"))
    assert os.listdir(core.directory) == ["python39_plugin.so"]
    with open(f"{core.directory}/python39_plugin.so", encoding="utf-8") as stream:
        assert stream.read() == "somebody's"


def test_sources_that_cannot_be_had_are_asked_for_once(core, compiler, monkeypatch):
    asked = []

    def fetch(sources):
        asked.append(sources.release)
        raise StackError("plugin", "no network.")

    monkeypatch.setattr(_sources, "fetch", fetch)
    _result, failures = _ensure.present(options("python3.9", "python3.13", plugins=["python", "gevent"], source="2.0.30"))
    assert asked == ["2.0.30"]
    assert failures.labels == {"python3.9", "python3.13"}
