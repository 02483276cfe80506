# SPDX-License-Identifier: GPL-3.0-or-later
"""config_tree from end to end, in a temporary directory and with a stand-in for nginx -t."""

from __future__ import annotations

import getpass
import grp
import os
import stat
import sys

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree import _adjust, _disk, _transaction
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._load import Loader
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._transaction import Transaction, TreeRequest
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import TreeEntry, from_json
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Link
from ansible_collections.wsgi.stack.plugins.module_utils.host._sockets import Listener

USER, GROUP = getpass.getuser(), grp.getgrgid(os.getegid()).gr_name

# Speaks as nginx does: "bad" has a place, a variable and "lost" have none, names may not be taken twice.
CHECKER = """
import pathlib, re, sys
names = []
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.conf")):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if "bad" in line:
            sys.exit(f'nginx: [emerg] unknown directive "bad" in {path}:{number}')
        if "$nope" in line:
            sys.exit('nginx: [emerg] unknown "nope" variable')
        if "lost" in line:
            sys.exit("nginx: [emerg] something is lost")
        for name in re.findall("server_name (.+);", line) if not path.is_symlink() else ():
            if name in names:
                print(f'nginx: [warn] conflicting server name "{name}" on 0.0.0.0:80, ignored')
            names.append(name)
"""


class Host:
    """A directory instead of a host."""

    def __init__(self, root):
        self.root = root
        self.etc = root / "etc"
        self.etc.mkdir()
        (root / "checker.py").write_text(CHECKER)
        self.loads = root / "loads"
        self.loads.write_text("")

    def run(self, files=None, links=None, initial=None, check=True, load=None, **options):
        """files: {name: text, or (text, app, ...)}"""

        def entries(found, make):
            found = {name: (value,) if isinstance(value, str) else value for name, value in (found or {}).items()}
            return {str(self.etc / name): TreeEntry(make(value[0]), tuple(value[1:])) for name, value in found.items()}

        wanted = {**entries(files, self.file), **entries(links, Link)}
        request = TreeRequest(
            "demo",
            wanted,
            entries(initial, self.file),
            check=[sys.executable, str(self.root / "checker.py"), str(self.etc)] if check else [],
            load=[["sh", "-c", load or f"echo loaded >> {self.loads}"]],
            memory_directory=str(self.root / "memory"),
            **options,
        )
        transaction = Transaction(request)
        self.transaction = transaction
        transaction.converge()
        return transaction.result()

    def file(self, text):
        return File(text, 0o644, USER, GROUP)

    def texts(self):
        """Everything that is there, by name; where a link leads counts as its text."""
        found = [path for path in self.etc.rglob("*") if path.is_symlink() or not path.is_dir()]
        return {
            str(path.relative_to(self.etc)): f"-> {os.readlink(path)}" if path.is_symlink() else path.read_text()
            for path in found
        }

    def loaded(self):
        return len(self.loads.read_text().splitlines())


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def summary(result):
    return {key: result[key] for key in ("changed", "loaded", "validated")}


ALL = {"changed": True, "loaded": True, "validated": True}
NOTHING = {"changed": False, "loaded": False, "validated": False}


def names(paths, host):
    return [os.path.relpath(path, host.etc) for path in paths]


def test_the_second_run_changes_nothing(host):
    files, links = {"available/a.conf": ("one", "a"), "base.conf": "base"}, {"enabled/a.conf": ("../available/a.conf", "a")}
    first = host.run(files, links)
    assert summary(first) == ALL
    assert names(first["written"], host) == ["available/a.conf", "base.conf", "enabled/a.conf"]
    assert len(first["diff"]) == 3
    assert host.texts() == {"available/a.conf": "one", "base.conf": "base", "enabled/a.conf": "-> ../available/a.conf"}
    second = host.run(files, links)
    assert summary(second) == NOTHING
    assert second["diff"] == second["written"] == second["removed"] == []
    assert host.loaded() == 1


def test_what_is_no_longer_wanted_goes_with_the_directories_that_were_made_for_it(host):
    host.run({"x/y/a.conf": ("one", "a"), "b.conf": "b"}, {"l.conf": ("x/y/a.conf", "a")})
    result = host.run({"b.conf": "b"})
    assert names(result["removed"], host) == ["l.conf", "x/y/a.conf"]
    assert os.listdir(host.etc) == ["b.conf"]
    assert host.loaded() == 2


def test_a_file_has_the_mode_that_was_asked_for_and_gets_it_back(host):
    host.run({"a.conf": "one"})
    path = host.etc / "a.conf"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.chmod(0o600)
    path.write_text("edited")
    result = host.run({"a.conf": "one"})
    assert result["written"] == [str(path)]
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("one", 0o644)


def test_an_error_in_one_apps_file_puts_only_that_app_back(host):
    host.run({"a.conf": ("a1", "a"), "b.conf": ("b1", "b"), "b2.conf": ("b1", "b"), "base.conf": "base1"})
    wanted = {
        "a.conf": ("a2", "a"),
        "b.conf": ("b2\nbad 1;", "b"),
        "b2.conf": ("b2", "b"),
        "c.conf": ("bad", "c"),
        "base.conf": "base2",
    }
    result = host.run(wanted)
    assert summary(result) == ALL
    assert host.texts() == {"a.conf": "a2", "b.conf": "b1", "b2.conf": "b1", "base.conf": "base2"}
    assert names(result["written"], host) == ["a.conf", "base.conf"]
    assert [failure["message"] for failure in result["failures"]] == [
        (
            f'app b: demo: unknown directive "bad" in {host.etc}/b.conf:2 (bad 1;), so what it had before stays in force;'
            " correct it and run again."
        ),
        f'app c: demo: unknown directive "bad" in {host.etc}/c.conf:1 (bad), so it is left out; correct it and run again.',
    ]
    again = host.run(wanted)
    assert (again["changed"], again["loaded"], len(again["failures"])) == (False, False, 2)
    assert host.loaded() == 2
    healed = host.run({**wanted, "b.conf": ("b3", "b"), "c.conf": ("c3", "c")})
    assert (summary(healed), healed["failures"]) == (ALL, [])
    assert host.texts()["b.conf"] == "b3"


def test_an_app_that_is_held_keeps_what_it_had(host):
    host.run({"a.conf": ("one", "a"), "b.conf": ("one", "b")})
    result = host.run(
        {"a.conf": ("two", "a"), "b.conf": ("two", "b"), "c.conf": ("new", "c")}, unchanged_apps=frozenset({"a", "c"})
    )
    assert host.texts() == {"a.conf": "one", "b.conf": "two"}
    assert result["failures"] == []
    assert summary(host.run({"a.conf": ("two", "a"), "b.conf": ("two", "b")}, unchanged_apps=frozenset({"a"}))) == NOTHING
    host.run({"a.conf": ("two", "a"), "b.conf": ("two", "b"), "c.conf": ("new", "c")})
    assert host.texts() == {"a.conf": "two", "b.conf": "two", "c.conf": "new"}


def test_a_new_app_in_a_file_that_it_shares_is_left_out_alone(host):
    host.run({"b.conf": ("b", "b"), "site.conf": ("for b", "b")})
    result = host.run({"a.conf": ("bad", "a"), "b.conf": ("b", "b"), "site.conf": ("for a and b", "a", "b")})
    (failure,) = result["failures"]
    assert "so it is left out" in failure["message"]
    assert host.texts() == {"b.conf": "b", "site.conf": "for a and b"}


@pytest.mark.parametrize("text", ["x $nope;", "lost"])
def test_an_error_without_a_place_is_traced_to_its_app(host, text):
    result = host.run({"a.conf": ("a", "a"), "b.conf": (text, "b"), "c.conf": ("c", "c"), "d.conf": (text, "d")})
    assert [failure["app"] for failure in result["failures"]] == ["b", "d"]
    assert host.texts() == {"a.conf": "a", "c.conf": "c"}
    assert summary(result) == ALL


def test_an_error_in_a_file_of_no_app_puts_everything_back(host):
    host.run({"a.conf": ("a1", "a"), "base.conf": "base1"})
    with pytest.raises(
        StackError, match=r'unknown directive "bad" in .*base.conf:1 \(bad\), so nothing was loaded, and everything'
    ):
        host.run({"a.conf": ("a2", "a"), "base.conf": "bad", "x/c.conf": ("c", "c")})
    assert host.texts() == {"a.conf": "a1", "base.conf": "base1"}
    assert host.loaded() == 1
    assert summary(host.run({"a.conf": ("a1", "a"), "base.conf": "base1"})) == NOTHING


def test_an_error_in_somebody_elses_file_is_theirs(host):
    (host.etc / "zz.conf").write_text("bad")
    with pytest.raises(StackError, match=r'unknown directive "bad" in .*zz.conf:1, so nothing was loaded'):
        host.run({"a.conf": ("a", "a")})
    assert host.texts() == {"zz.conf": "bad"}


def test_a_name_that_somebody_else_serves_is_an_error_of_the_app(host):
    (host.etc / "zz.conf").write_text("server_name a.test;")
    result = host.run({"a.conf": ("server_name a.test;", "a"), "b.conf": ("server_name b.test;", "b")})
    (failure,) = result["failures"]
    assert failure["app"] == "a"
    assert f"{host.etc}/zz.conf has it too, so it is left out; remove the name" in failure["message"]
    assert sorted(host.texts()) == ["b.conf", "zz.conf"]


def test_a_name_that_somebody_else_took_later_is_told_and_nothing_taken_away(host):
    files = {"a.conf": ("server_name a.test;", "a"), "b.conf": ("b1", "b")}
    host.run(files)
    (host.etc / "zz.conf").write_text("server_name a.test;")
    result = host.run({**files, "b.conf": ("b2", "b")})
    assert [failure["app"] for failure in result["failures"]] == ["a"]
    assert summary(result) == ALL
    assert host.texts()["b.conf"] == "b2"


ADDRESS = "127.0.0.1:5099"
TAKEN = [Listener(ADDRESS, 0, 128, (os.getpid(),))]


@pytest.mark.parametrize("seen", [[TAKEN], [[], TAKEN]], ids=["before", "while it is loaded"])
def test_an_address_that_another_process_has_keeps_its_app_alone_as_it_was(host, monkeypatch, seen):
    host.run({"a.conf": ("a", "a"), "b.conf": ("b", "b")})
    monkeypatch.setattr(_transaction._sockets, "listeners", lambda: seen.pop(0) if len(seen) > 1 else seen[0])
    files = {"a.conf": (f"listen {ADDRESS};", "a"), "b.conf": ("more of b", "b")}
    load = f"! grep -q listen {host.etc}/a.conf && echo loaded >> {host.loads}"
    result = host.run(files, load=load, app_listens={"a": [ADDRESS]})
    (failure,) = result["failures"]
    assert failure["app"] == "a"
    assert failure["message"].startswith("app a: demo: port 5099 is taken by ")
    assert failure["message"].endswith(f", which listens at {ADDRESS}; stop it, or give the app another port.")
    assert host.texts() == {"a.conf": "a", "b.conf": "more of b"}
    assert (result["changed_apps"], result["loaded"], host.loaded()) == (["b"], True, 2)


def test_an_app_whose_earlier_files_have_the_address_too_is_left_out_if_the_service_does_not_run(host, monkeypatch):
    files = {"a.conf": (f"listen {ADDRESS};", "a"), "b.conf": ("b", "b")}
    host.run(files, app_listens={"a": [ADDRESS]})
    monkeypatch.setattr(_transaction._sockets, "listeners", lambda: TAKEN)
    monkeypatch.setattr(Loader, "stopped", True)
    load = f"! grep -qr listen {host.etc} && echo loaded >> {host.loads}"
    result = host.run({**files, "b.conf": ("more of b", "b")}, load=load, app_listens={"a": [ADDRESS]})
    assert [failure["app"] for failure in result["failures"]] == ["a"]
    assert host.texts() == {"b.conf": "more of b"}


def test_somebody_elses_file_is_not_overwritten(host):
    (host.etc / "a.conf").write_text("theirs")
    result = host.run({"a.conf": ("a", "a"), "a2.conf": ("a", "a"), "b.conf": ("b", "b")})
    assert [failure["message"] for failure in result["failures"]] == [
        f"app a: demo: {host.etc}/a.conf is a file that wsgi.stack did not write, so it stays; move it away and run again."
    ]
    assert host.texts() == {"a.conf": "theirs", "b.conf": "b"}
    with pytest.raises(StackError, match=r"a.conf is a file that wsgi.stack did not write"):
        host.run({"a.conf": "base"})
    assert host.texts()["a.conf"] == "theirs"


def test_an_identical_file_is_adopted(host):
    (host.etc / "a.conf").write_text("a")
    (host.etc / "a.conf").chmod(0o644)
    assert host.run({"a.conf": ("a", "a")})["written"] == []
    host.run({})
    assert host.texts() == {}


def test_an_initial_file_is_made_once_and_left_alone(host):
    result = host.run({"a.conf": "a"}, initial={"log": ("", "a")})
    assert names(result["written"], host) == ["a.conf", "log"]
    (host.etc / "log").write_text("a line")
    assert summary(host.run({"a.conf": "a"}, initial={"log": ("", "a")})) == NOTHING
    host.run({})
    assert host.texts() == {"log": "a line"}


def kill_at(monkeypatch, what):
    """The run ends here, with nothing tidied up, as with kill -9."""

    class Killed(BaseException):
        pass

    def killed(*arguments, **options):
        raise Killed

    monkeypatch.setattr(Transaction, "_remember_written", lambda self: None)
    monkeypatch.setattr(Loader if what == "load" else Transaction, what, killed)
    return Killed


@pytest.mark.parametrize("where", ["_check", "load", "_remember_loaded"])
@pytest.mark.parametrize("then", ["the same", "the one before", "a broken one", "none"])
def test_a_run_that_was_killed_is_healed_by_the_next(host, monkeypatch, where, then):
    host.run({"a.conf": ("a1", "a"), "b.conf": ("b1", "b")})
    with monkeypatch.context() as patch:
        killed = kill_at(patch, where)
        with pytest.raises(killed):
            host.run({"a.conf": ("a2", "a"), "b.conf": ("b2", "b"), "c.conf": ("c", "c")})
    wanted = {
        "the same": {"a.conf": ("a2", "a"), "b.conf": ("b2", "b"), "c.conf": ("c", "c")},
        "the one before": {"a.conf": ("a1", "a"), "b.conf": ("b1", "b")},
        "a broken one": {"a.conf": ("a2", "a"), "b.conf": ("bad", "b")},
        "none": {},
    }[then]
    result = host.run(wanted)
    expected = {name: text for name, (text, _app) in wanted.items()}
    if then == "a broken one":
        expected["b.conf"] = "b1"
    assert host.texts() == expected
    assert result["loaded"]
    assert not host.run(wanted)["changed"]


def test_what_a_killed_run_had_broken_is_put_back_to_what_was_loaded(host, monkeypatch):
    host.run({"a.conf": ("a1", "a"), "b.conf": ("b1", "b")})
    with monkeypatch.context() as patch:
        killed = kill_at(patch, "_check")
        with pytest.raises(killed):
            host.run({"a.conf": ("bad", "a"), "b.conf": ("b1", "b")})
    assert host.texts()["a.conf"] == "bad"
    result = host.run({"a.conf": ("bad", "a"), "b.conf": ("b1", "b")})
    assert [failure["app"] for failure in result["failures"]] == ["a"]
    assert host.texts() == {"a.conf": "a1", "b.conf": "b1"}


def test_a_tree_that_could_not_be_loaded_is_loaded_by_the_next_run(host):
    with pytest.raises(
        StackError, match=r"'sh -c echo no; exit 1' failed: no; the files are written, and the next run loads them"
    ):
        host.run({"a.conf": "a"}, load="echo no; exit 1")
    assert host.texts() == {"a.conf": "a"}
    assert host.run({"a.conf": "a"})["loaded"]


def test_a_disk_that_is_full_half_way_leaves_what_was_loaded(host, monkeypatch):
    host.run({"a.conf": "a1", "b.conf": "b1"})
    real = _files.write

    def full(path, item):
        if path.endswith("b.conf") and item.content == "b2":
            raise OSError(28, "No space left on device")
        real(path, item)

    monkeypatch.setattr(_files, "write", full)
    with pytest.raises(StackError, match=r"b.conf cannot be written \(No space left on device\), and everything was put back"):
        host.run({"a.conf": "a2", "b.conf": "b2"})
    assert host.texts() == {"a.conf": "a1", "b.conf": "b1"}


def test_a_file_that_cannot_be_written_is_the_failure_of_its_app_alone(host, monkeypatch):
    first = {"a.conf": ("a1", "a"), "b.conf": ("b1", "b"), "b2.conf": ("b1", "b"), "c.conf": ("c1", "c")}
    host.run(first)
    real = _files.write

    def immutable(path, item):
        if path.endswith(("/b2.conf", "/d2.conf")):
            raise OSError(1, "Operation not permitted")
        real(path, item)

    monkeypatch.setattr(_files, "write", immutable)
    wanted = {name: (text.replace("1", "2"), app) for name, (text, app) in first.items()}
    for _again in range(2):
        failures = host.run({**wanted, "d.conf": ("d2", "d"), "d2.conf": ("d2", "d")})["failures"]
        assert [failure["app"] for failure in failures] == ["b", "d"]
        assert "/b2.conf cannot be written (Operation not permitted), so what is there stays" in failures[0]["message"]
        assert host.texts() == {"a.conf": "a2", "b.conf": "b1", "b2.conf": "b1", "c.conf": "c2"}
    monkeypatch.undo()
    assert host.run(wanted)["failures"] == []
    assert host.texts() == {"a.conf": "a2", "b.conf": "b2", "b2.conf": "b2", "c.conf": "c2"}


def test_no_temporary_file_stays(host):
    (host.etc / ".a.conf.wsgi-stack.tmp").write_text("of a run that was killed")
    host.run({"a.conf": "a"}, {"l.conf": "a.conf"})
    assert host.texts() == {"a.conf": "a", "l.conf": "-> a.conf"}


def test_an_account_that_is_not_there_is_refused(host, monkeypatch):
    monkeypatch.setattr(host, "file", lambda text: File(text, 0o644, "nobody-of-that-name", GROUP))
    result = host.run({"a.conf": ("a", "a")})
    assert "should belong to the user nobody-of-that-name, which does not exist" in result["failures"][0]["message"]


@pytest.mark.parametrize("unchanged", [True, False])
def test_a_packages_file_makes_way_if_nobody_edited_it(host, monkeypatch, unchanged):
    default = host.etc / "default"
    default.symlink_to("available")
    monkeypatch.setattr(_transaction, "unchanged_package_file", lambda _path: unchanged)
    if unchanged:
        assert host.run({"a.conf": "a"}, displace=[str(default)])["removed"] == [str(default)]
        assert summary(host.run({"a.conf": "a"}, displace=[str(default)])) == NOTHING
        with pytest.raises(StackError):
            host.run({"a.conf": "bad"}, displace=[str(default)])
    else:
        with pytest.raises(StackError, match="not as its Debian package shipped it, so it stays"):
            host.run({"a.conf": "a"}, displace=[str(default)])
        assert host.texts() == {"default": "-> available"}


def test_a_packages_file_comes_back_when_everything_does(host, monkeypatch):
    default = host.etc / "default"
    default.symlink_to("available")
    monkeypatch.setattr(_transaction, "unchanged_package_file", lambda _path: True)
    with pytest.raises(StackError):
        host.run({"a.conf": "bad"}, displace=[str(default)])
    assert host.texts() == {"default": "-> available"}


@pytest.mark.parametrize(
    ("shipped", "unedited", "after", "text", "loaded"),
    [
        ("x\nlimit 1\ny\n", True, "limit 2", "x\nlimit 2\ny\n", 1),
        ("x\nlimit 1\ny\n", False, "limit 2", "x\nlimit 1\ny\n", 0),
        ("x\nlimit 3\ny\n", True, "limit 2", "x\nlimit 3\ny\n", 0),
        ("x\nlimit 1\ny\n", True, "bad", "x\nlimit 1\ny\n", 0),
    ],
)
def test_a_packages_setting_is_changed_where_nobody_has_edited_it_and_the_check_accepts_it(
    host, monkeypatch, shipped, unedited, after, text, loaded
):
    main = host.etc / "main.conf"
    main.write_text(shipped)
    main.chmod(0o644)
    host.run({"a.conf": "a"})
    monkeypatch.setattr(_adjust, "unchanged_package_file", lambda path: unedited and main.read_text() == shipped)
    change = [_adjust.Adjustment(str(main), "limit 1", after)]
    before = host.loaded()
    with monkeypatch.context() as limited:
        without_namespaces(limited)
        predicted = host.run({"a.conf": "a"}, adjust=change, dry=True)
    assert main.read_text() == shipped
    result = host.run({"a.conf": "a"}, adjust=change)
    assert (host.texts(), host.loaded() - before) == ({"main.conf": text, "a.conf": "a"}, loaded)
    assert result["written"] == [str(main)] * loaded
    assert predicted["changed"] == (result["changed"] or after == "bad")
    assert summary(host.run({"a.conf": "a"}, adjust=change)) == NOTHING
    host.run({}, adjust=change)
    assert host.texts() == {"main.conf": text}


def without_namespaces(monkeypatch):
    """As on a host that does not let us mount."""
    monkeypatch.setattr(_disk.Rehearsal, "check", lambda self, argv: Completed(tuple(argv), 1, "unshare: not permitted"))


def test_check_mode_says_what_a_run_would_do_and_does_nothing(host, monkeypatch):
    without_namespaces(monkeypatch)
    host.run({"a.conf": ("a1", "a"), "b.conf": "b"})
    before = host.texts(), (host.root / "memory/demo.json").read_text()
    for wanted in ({"a.conf": ("a2", "a"), "x/y/c.conf": "c"}, {"a.conf": ("a1", "a"), "b.conf": "b"}):
        predicted = host.run(wanted, dry=True)
        assert (host.texts(), (host.root / "memory/demo.json").read_text()) == before
        real = host.run(wanted)
        keys = ("changed", "written", "removed", "loaded", "failures", "diff")
        assert {key: predicted[key] for key in keys} == {key: real[key] for key in keys}
        assert ("cannot be known" in predicted.get("msg", "")) == real["changed"]
        before = host.texts(), (host.root / "memory/demo.json").read_text()


def test_check_mode_on_a_bare_host(host, monkeypatch):
    monkeypatch.setattr(host, "file", lambda text: File(text, 0o644, "not-yet-there", "not-yet-there"))
    result = host.run({"not/there/yet.conf": ("a", "a")}, dry=True)
    assert (result["changed"], result["loaded"], result["failures"]) == (True, True, [])
    assert host.texts() == {}


def test_check_mode_checks_a_copy(host, monkeypatch):
    if _disk.run(["unshare", "--mount", "true"]).code:
        pytest.skip("no mount namespaces here")
    host.run({"a.conf": ("a1", "a"), "b.conf": ("b1", "b")})
    result = host.run({"a.conf": ("a2", "a"), "b.conf": ("bad", "b"), "new/c.conf": ("bad", "c")}, dry=True)
    assert [failure["app"] for failure in result["failures"]] == ["b", "c"]
    assert names(result["written"], host) == ["a.conf"]
    assert result["validated"]
    assert host.texts() == {"a.conf": "a1", "b.conf": "b1"}
    with pytest.raises(StackError, match="so nothing would be loaded"):
        host.run({"base.conf": "bad"}, dry=True)
    assert host.texts() == {"a.conf": "a1", "b.conf": "b1"}


def test_check_mode_checks_nothing_that_needs_what_is_not_there_yet(host, tmp_path):
    if _disk.run(["unshare", "--mount", "true"]).code:
        pytest.skip("no mount namespaces here")
    certificate = tmp_path / "certificate"
    for there in (False, True):
        result = host.run({"a.conf": ("bad", "a")}, dry=True, needs=[str(certificate)])
        assert [failure["app"] for failure in result["failures"]] == (["a"] if there else [])
        assert ("cannot be known" in result.get("msg", "")) is not there
        certificate.touch()


def test_what_the_service_has_loaded_besides_was_replaced(host):
    host.run({"a.conf": "a"})
    result = host.run({"a.conf": "a"}, stale=True)
    assert (result["changed"], result["loaded"], result["written"], host.loaded()) == (True, True, [], 2)
    assert host.run({"a.conf": "a"})["changed"] is False


def test_the_memory_is_roots_alone(host):
    host.run({"a.conf": "a"})
    memory = host.root / "memory/demo.json"
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    assert from_json(memory.read_text()).loaded
    memory.write_text("cut short")
    assert host.run({"a.conf": "a"})["written"] == []


def test_what_is_noted_of_an_app_is_that_of_the_files_that_are_loaded(host):
    def noted():
        return from_json((host.root / "memory/demo.json").read_text()).notes

    host.run({"a.conf": ("one", "a"), "b.conf": ("one", "b")}, notes={"a": {"is": 1}, "b": {"is": 1}})
    assert noted() == {"a": {"is": 1}, "b": {"is": 1}}
    host.run({"a.conf": ("bad", "a"), "b.conf": ("two", "b")}, notes={"a": {"is": 2}, "b": {"is": 2}})
    assert noted() == {"a": {"is": 1}, "b": {"is": 2}}
    host.run({"b.conf": ("two", "b")}, notes={"b": {"is": 2}}, unchanged_apps=frozenset("a"))
    assert noted() == {"a": {"is": 1}, "b": {"is": 2}}
    host.run({"b.conf": ("two", "b"), "c.conf": ("bad", "c")}, notes={"b": {"is": 2}, "c": {"is": 1}})
    assert noted() == {"b": {"is": 2}}
