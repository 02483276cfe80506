# SPDX-License-Identifier: GPL-3.0-or-later
"""The archives of modules that are kept for the next run."""

from __future__ import annotations

import os

import pytest
from ansible import constants

from ansible_collections.wsgi.stack.plugins.plugin_utils import _archives

NAME = "ansible_collections.wsgi.stack.plugins.modules.survey-ZIP_DEFLATED-none"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Ansible's home directory, where no run has been yet."""
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    _archives._store.cache_clear()
    yield tmp_path / "home"
    _archives._store.cache_clear()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Does in a run of Ansible's what it does to send a module, and returns the directory of its archives."""
    runs = iter(range(10))

    def run(module="wsgi.stack.survey", content="archive", name=NAME):
        directory = tmp_path / str(next(runs))
        directory.mkdir()
        monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(directory))
        archives = directory / "ansiballz_cache"
        with _archives.kept(module):
            archives.mkdir(exist_ok=True)
            if not (archives / name).exists():
                (archives / f"{name}.lock").touch()
                (archives / name).write_text(content)
        return archives

    return run


def test_an_archive_is_made_in_the_first_run_alone(run, home):
    assert not _archives.is_kept("wsgi.stack.survey")
    run(content="first")
    assert _archives.is_kept("wsgi.stack.survey")
    assert (run(content="second") / NAME).read_text() == "first"
    assert [path.name for path in (home / _archives.DIRECTORY / _archives.VERSION).iterdir()] == [NAME]


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-1], lambda data: data[:-1] + b"?"])
def test_a_damaged_archive_is_made_again(run, home, damage):
    run(content="first")
    (kept,) = (home / _archives.DIRECTORY / _archives.VERSION).iterdir()
    kept.write_bytes(damage(kept.read_bytes()))
    assert (run(content="second") / NAME).read_text() == "second"
    assert (run(content="third") / NAME).read_text() == "second"


def test_archives_of_each_kind_are_kept(run):
    other = NAME.replace("DEFLATED", "STORED")
    run(content="first")
    run(content="second", name=other)
    assert (run(content="third", name=other) / other).read_text() == "second"


def test_where_a_role_brings_sources_archives_are_left_to_ansible(run, monkeypatch):
    run(content="first")
    with monkeypatch.context() as patched:
        patched.setattr(_archives, "_places", lambda: f"{_archives.PLACES}:/role/module_utils")
        assert (run(content="second") / NAME).read_text() == "second"
    assert (run(content="third") / NAME).read_text() == "first"


def test_another_collections_module_is_left_to_ansible(run, home):
    name = "ansible.modules.apt-ZIP_DEFLATED-none"
    run("ansible.builtin.apt", "first", name)
    assert (run("ansible.builtin.apt", "second", name) / name).read_text() == "second"
    assert not _archives.is_kept("ansible.builtin.apt")
    assert not any(home.iterdir())


def test_another_modules_archive_is_not_taken(run):
    run("wsgi.stack.site_plan", name=NAME.replace("survey", "site_plan"))
    assert not _archives.is_kept("wsgi.stack.site")


@pytest.mark.parametrize("part", ["wsgi.stack", "wsgi.stack/archives"])
def test_a_directory_that_others_can_write_to_is_not_used(run, home, part):
    for directory in ("wsgi.stack", "wsgi.stack/archives"):
        (home / directory).mkdir(mode=0o700)
    os.chmod(home / part, 0o770)
    run(content="first")
    assert (run(content="second") / NAME).read_text() == "second"


def test_a_symlink_is_not_followed(run, home, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (home / "wsgi.stack").symlink_to(tmp_path / "elsewhere")
    run()
    assert not _archives.is_kept("wsgi.stack.survey")


def test_without_a_home_each_run_makes_its_own(run, home):
    home.rmdir()
    run(content="first")
    assert (run(content="second") / NAME).read_text() == "second"


def test_what_was_made_while_the_collection_was_replaced_is_not_kept(run, monkeypatch):
    monkeypatch.setattr(_archives, "_version", lambda: "another")
    run()
    assert not _archives.is_kept("wsgi.stack.survey")


def test_a_version_has_archives_of_its_own_and_the_latest_stay(run, home, monkeypatch):
    for number in range(6):
        _archives._store.cache_clear()
        monkeypatch.setattr(_archives, "VERSION", f"version{number}")
        monkeypatch.setattr(_archives, "_version", lambda number=number: f"version{number}")
        assert (run(content=str(number)) / NAME).read_text() == str(number)
        os.utime(home / _archives.DIRECTORY / f"version{number}", (number, number))
    assert sorted(path.name for path in (home / _archives.DIRECTORY).iterdir()) == [f"version{number}" for number in range(2, 6)]


def test_a_store_is_kept_whatever_the_clock_said_before(run, home, monkeypatch):
    for number in range(4):
        (home / _archives.DIRECTORY / f"version{number}").mkdir(mode=0o700, parents=True)
        os.utime(home / _archives.DIRECTORY / f"version{number}", (1 << 33, 1 << 33))
    (home / _archives.DIRECTORY).parent.chmod(0o700)
    (home / _archives.DIRECTORY).chmod(0o700)
    run()
    assert _archives.is_kept("wsgi.stack.survey")


@pytest.mark.parametrize("name", [b"_files.py", b"caf\xe9.py"])
def test_the_version_changes_with_any_source(tmp_path, monkeypatch, name):
    monkeypatch.setattr(_archives, "__file__", str(tmp_path / "plugins/plugin_utils/_archives.py"))
    source = tmp_path / "plugins/module_utils/host" / os.fsdecode(name)
    source.parent.mkdir(parents=True)
    source.write_text("X = 1")
    before = _archives._version()
    assert _archives._version() == before
    source.write_text("X = 2")
    assert _archives._version() != before


@pytest.mark.parametrize(("name", "target"), [("dangling.py", "nowhere"), ("package", "../module_utils")])
def test_a_source_that_cannot_be_read_leaves_archives_to_ansible(tmp_path, run, monkeypatch, name, target):
    source = tmp_path / "plugins/module_utils" / name
    source.parent.mkdir(parents=True)
    source.symlink_to(target)
    with monkeypatch.context() as patched:
        patched.setattr(_archives, "__file__", str(tmp_path / "plugins/plugin_utils/_archives.py"))
        assert _archives._version() == ""
    monkeypatch.setattr(_archives, "VERSION", "")
    run(content="first")
    assert (run(content="second") / NAME).read_text() == "second"
