# SPDX-License-Identifier: GPL-3.0-or-later
"""What config_tree decides: from what is there, remembered and wanted, to what is refused, written, removed and put back."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._tree import (
    Memory,
    TreeEntry,
    diffs,
    digest,
    entries,
    former,
    from_json,
    joined,
    obstacles,
    out_of_scope,
    owned,
    replaced,
    shipped_unchanged,
    steps,
    target,
    to_json,
)
from ansible_collections.wsgi.stack.plugins.module_utils.host._files import File, Link, Other
from ansible_collections.wsgi.stack.plugins.module_utils.lists._record import Record, Scope

ONE, TWO = File("one"), File("two")


@pytest.mark.parametrize(
    ("memory", "current", "expected"),
    [
        pytest.param(Memory(), {"/a": ONE}, set(), id="never written"),
        pytest.param(Memory(owned={"/a": "file"}), {"/a": TWO}, {"/a"}, id="written, then edited by hand"),
        pytest.param(Memory(owned={"/a": "file"}), {}, set(), id="written, then removed by hand"),
        pytest.param(Memory(owned={"/a": "link"}), {"/a": ONE}, set(), id="a link that somebody made a file"),
        pytest.param(
            Memory(owned={"/a": "file"}), {"/a": Other("a directory")}, set(), id="a file that somebody made a directory"
        ),
        pytest.param(Memory(intended={"/a": digest(ONE)}), {"/a": ONE}, {"/a"}, id="killed after writing"),
        pytest.param(
            Memory(intended={"/a": digest(ONE)}), {"/a": TWO}, set(), id="killed before writing, and somebody was quicker"
        ),
    ],
)
def test_owned(memory, current, expected):
    assert owned(memory, current) == expected


@pytest.mark.parametrize(
    ("now", "ours", "wanted", "refused"),
    [
        pytest.param(None, False, ONE, None, id="nothing there"),
        pytest.param(TWO, True, ONE, None, id="ours"),
        pytest.param(TWO, False, ONE, "a file", id="somebody's file"),
        pytest.param(ONE, False, ONE, None, id="somebody's identical file"),
        pytest.param(File("one", 0o600, "joe", "joe"), False, ONE, None, id="identical but for its owner and mode"),
        pytest.param(Link("x"), False, ONE, "a link", id="somebody's link in the place of a file"),
        pytest.param(Link("x"), False, Link("x"), None, id="somebody's identical link"),
        pytest.param(Link("y"), False, Link("x"), "a link", id="somebody's link"),
        pytest.param(Other("a directory"), False, ONE, "a directory", id="a directory"),
    ],
)
def test_what_is_in_the_way_is_refused(now, ours, wanted, refused):
    current = {"/a": now} if now else {}
    found = obstacles({"/a": TreeEntry(wanted)}, current, {"/a"} if ours else set())
    if refused is None:
        assert found == {}
    else:
        assert found["/a"].startswith(f"/a is {refused} that wsgi.stack did not write")


def test_what_is_put_back_is_what_was_loaded_and_what_is_adopted():
    memory = Memory(loaded={"/loaded": TreeEntry(ONE, ("shop",))})
    wanted = {"/loaded": TreeEntry(TWO), "/adopted": TreeEntry(ONE, ("blog",)), "/interrupted": TreeEntry(ONE)}
    current = {"/loaded": File("of a run that was killed"), "/adopted": File("one", 0o600), "/interrupted": ONE}
    assert former(memory, wanted, current, {"/loaded", "/interrupted"}) == {
        "/loaded": TreeEntry(ONE, ("shop",)),
        "/adopted": TreeEntry(File("one", 0o600), ("blog",)),
    }


SHOP, BLOG, BOTH = ("shop",), ("blog",), ("shop", "blog")


@pytest.mark.parametrize(
    ("wanted", "earlier", "put_back", "left_out", "expected"),
    [
        pytest.param({"/s": (TWO, SHOP)}, {"/s": (ONE, SHOP)}, {}, {}, {"/s": TWO}, id="all is well"),
        pytest.param(
            {"/s": (TWO, SHOP), "/b": (TWO, BLOG)}, {"/s": (ONE, SHOP)}, SHOP, {}, {"/s": ONE, "/b": TWO}, id="one of two"
        ),
        pytest.param({"/s": (TWO, SHOP)}, {}, SHOP, {}, {}, id="a new app"),
        pytest.param({"/base": (TWO, ())}, {"/base": (ONE, ())}, SHOP, {}, {"/base": TWO}, id="nobody's file"),
        pytest.param({"/t": (TWO, SHOP)}, {"/s": (ONE, SHOP)}, SHOP, {}, {"/s": ONE}, id="an app that was renamed its files"),
        pytest.param({"/t": (TWO, SHOP)}, {"/s": (ONE, SHOP)}, {}, {}, {"/t": TWO}, id="a file that is no longer wanted"),
        pytest.param({"/x": (TWO, BOTH)}, {"/x": (ONE, BOTH)}, SHOP, {}, {"/x": TWO}, id="shared with an app that is well"),
        pytest.param({"/x": (TWO, BOTH)}, {"/x": (ONE, BOTH)}, BOTH, {}, {"/x": ONE}, id="shared, and both are put back"),
        pytest.param({"/b": (TWO, BLOG)}, {"/x": (ONE, BOTH)}, BLOG, {}, {"/x": ONE}, id="shared with an app that is gone"),
        pytest.param({"/s": (TWO, SHOP)}, {"/x": (ONE, BOTH)}, BLOG, {}, {"/s": TWO, "/x": ONE}, id="the other has it still"),
        pytest.param({"/s": (TWO, SHOP)}, {"/x": (ONE, BOTH)}, {}, {}, {"/s": TWO}, id="the other has it no longer either"),
        pytest.param({"/b": (TWO, BLOG)}, {"/s": (ONE, SHOP)}, BLOG, {}, {}, id="an app that is gone stays gone"),
        pytest.param({"/b": (TWO, BLOG)}, {"/s": (ONE, SHOP)}, SHOP, {}, {"/b": TWO, "/s": ONE}, id="gone, but held"),
        pytest.param({"/s": (TWO, SHOP)}, {"/s": (ONE, SHOP)}, SHOP, SHOP, {}, id="left out"),
    ],
)
def test_the_tree_with_some_apps_put_back(wanted, earlier, put_back, left_out, expected):
    def tree(paths):
        return {path: TreeEntry(item, apps) for path, (item, apps) in paths.items()}

    found = target(tree(wanted), tree(earlier), set(put_back), set(left_out))
    assert {path: entry.item for path, entry in found.items()} == expected


@pytest.mark.parametrize(
    ("current", "tree", "ours", "expected"),
    [
        pytest.param({"/a": ONE}, {"/a": ONE}, {"/a"}, [], id="nothing to do"),
        pytest.param(
            {}, {"/l": Link("a"), "/a": ONE}, set(), [("/a", ONE), ("/l", Link("a"))], id="a file comes before its link"
        ),
        pytest.param(
            {"/l": Link("a"), "/a": ONE}, {}, {"/a", "/l"}, [("/l", None), ("/a", None)], id="a link goes before its file"
        ),
        pytest.param({"/a": ONE, "/b": ONE}, {}, {"/a"}, [("/a", None)], id="somebody's file stays"),
        pytest.param({"/a": File("one", 0o600)}, {"/a": ONE}, {"/a"}, [("/a", ONE)], id="another mode"),
        pytest.param({"/a": Link("x")}, {"/a": ONE}, {"/a"}, [("/a", ONE)], id="a link becomes a file"),
    ],
)
def test_steps(current, tree, ours, expected):
    assert steps(current, {path: TreeEntry(item) for path, item in tree.items()}, ours) == expected


def test_memory_survives_being_written_and_read():
    memory = Memory(
        owned={"/a": "file", "/l": "link"},
        intended={"/b": digest(TWO)},
        loaded={
            "/a": TreeEntry(File("é\n\udcff", 0o640, "root", "adm"), ("shop",)),
            "/l": TreeEntry(Link("a"), ("shop", "blog")),
        },
        stale=True,
        directories=["/etc/x"],
        displaced={"/etc/nginx/sites-enabled/default": TreeEntry(Link("/etc/nginx/sites-available/default"))},
    )
    assert from_json(to_json(memory)) == memory


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"owned": {}}', "null"])
def test_a_memory_that_cannot_be_read_is_an_empty_one(text):
    assert from_json(text) == Memory()


CONFFILES = """
 /etc/nginx/sites-available/default 4ba4ef0b4ae71cdb4ef6f71cd8e96a3e
 /etc/nginx/koi-utf 37cbfd9ad4b8fd8a8bb9bc6ba8d7a0b4 obsolete
"""


@pytest.mark.parametrize(
    ("path", "md5", "expected"),
    [
        ("/etc/nginx/sites-available/default", "4ba4ef0b4ae71cdb4ef6f71cd8e96a3e", True),
        ("/etc/nginx/sites-available/default", "00000000000000000000000000000000", False),
        ("/etc/nginx/koi-utf", "37cbfd9ad4b8fd8a8bb9bc6ba8d7a0b4", True),
        ("/etc/nginx/other", "4ba4ef0b4ae71cdb4ef6f71cd8e96a3e", False),
    ],
)
def test_whether_a_file_is_as_it_was_shipped(path, md5, expected):
    assert shipped_unchanged(CONFFILES, path, md5) is expected


@pytest.mark.parametrize(
    ("before", "after", "heads"),
    [
        (ONE, TWO, ("/a", "/a")),
        (None, ONE, ("/a (absent)", "/a (0644 root:root)")),
        (ONE, None, ("/a (0644 root:root)", "/a (absent)")),
        (ONE, File("one", 0o600), ("/a (0644 root:root)", "/a (0600 root:root)")),
        (Link("x"), ONE, ("/a (a link)", "/a (0644 root:root)")),
        (Link("x"), Link("y"), ("/a", "/a")),
    ],
)
def test_a_difference_says_what_differs(before, after, heads):
    (found,) = diffs({"/a": before} if before else {}, {"/a": after} if after else {})
    assert (found["before_header"], found["after_header"]) == heads


def test_what_does_not_differ_is_no_difference():
    assert diffs({"/a": ONE}, {"/a": ONE}) == []


FILE = {"dest": "/a", "content": "x", "mode": "0644", "owner": "root", "group": "root", "initial": False, "apps": []}
LINK = {"path": "/l", "target": "a", "apps": ["shop"]}


def test_parameters_become_entries():
    log = {**FILE, "dest": "/log", "initial": True, "mode": "0640", "apps": ["shop"]}
    assert entries([FILE, log], [LINK]) == (
        {"/a": TreeEntry(File("x")), "/l": TreeEntry(Link("a"), ("shop",))},
        {"/log": TreeEntry(File("x", 0o640), ("shop",))},
    )


@pytest.mark.parametrize(
    ("files", "links", "words"),
    [
        ([{**FILE, "dest": "a"}], [], "dest: 'a' is not a plain absolute path"),
        ([{**FILE, "dest": "/a/../b"}], [], "dest: '/a/../b' is not a plain absolute path"),
        ([FILE, FILE], [], "dest: /a is given twice"),
        ([FILE], [{**LINK, "path": "/a"}], "path: /a is given twice"),
        ([{**FILE, "mode": "420"}], [], "mode of /a: '420' is not four octal digits; write it in quotes"),
        ([], [{**LINK, "path": "l"}], "path: 'l' is not a plain absolute path"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(files, links, words):
    with pytest.raises(StackError, match=words):
        entries(files, links)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("a <x> b\n<x>", "a 1 b\n1", id="within a line, and as one"),
        pytest.param("{\n    <none>\n}\n", "{\n}\n", id="no line"),
        pytest.param("{\n    <two>\n}\n", "{\n    1;\n    2;\n}\n", id="two lines, indented"),
        pytest.param("a<none>b", "ab", id="nothing within a line"),
        pytest.param("\n\n<y>\n", "\n\n<y>\n", id="nothing to replace"),
    ],
)
def test_a_text_is_replaced_within_a_line_or_by_lines(content, text):
    assert replaced(content, {"<x>": "1", "<none>": "", "<two>": "1;\n2;"}) == text


LISTS = Record({name: {"list": "team-a", "claims": {}} for name in ("theirs", "moved")})
MEMORY = Memory(
    loaded={
        "/shared": TreeEntry(ONE),
        "/port": TreeEntry(ONE, ("mine", "theirs")),
        "/theirs": TreeEntry(ONE, ("theirs",)),
        "/mine": TreeEntry(ONE, ("mine",)),
    },
    notes={"mine": 1, "theirs": 2},
)


@pytest.mark.parametrize(
    ("scope", "wanted", "expected"),
    [
        pytest.param(Scope("default", record=LISTS), {"mine"}, {"theirs"}, id="another list"),
        pytest.param(Scope("team-a", record=LISTS), {"moved"}, {"mine"}, id="the list that is not named"),
        pytest.param(Scope("default", record=LISTS), {"theirs"}, set(), id="taken over"),
        pytest.param(Scope("default", frozenset(["new"]), LISTS), {"new", "mine"}, {"mine", "theirs"}, id="one app of a list"),
    ],
)
def test_the_apps_that_a_run_may_not_change(scope, wanted, expected):
    tree = {f"/{name}": TreeEntry(TWO, (name,)) for name in wanted}
    assert out_of_scope(scope, MEMORY, tree) == expected


def test_what_another_list_has_stays_as_it_is_there():
    current = {"/shared": ONE, "/port": ONE, "/theirs": TWO, "/mine": ONE}
    found = former(MEMORY, {}, current, set(current), {"theirs"})
    assert found["/theirs"].item == TWO
    assert "/theirs" not in former(MEMORY, {}, {}, set(), {"theirs"})
    killed = Memory(loaded=MEMORY.loaded, intended={"/theirs": digest(TWO)})
    assert former(killed, {}, current, set(current), {"theirs"})["/theirs"].item == ONE


def test_what_two_lists_need_stays_for_the_other():
    scope = Scope("default", record=LISTS)
    wanted = joined({"/port": TreeEntry(TWO, ("mine",))}, MEMORY.loaded, {"theirs"}, scope)
    assert wanted["/port"] == TreeEntry(TWO, ("mine", "theirs"))
    assert target({}, former(MEMORY, {}, {"/port": ONE, "/theirs": ONE}, set(), {"theirs"}), {"theirs"}).keys() == {
        "/port",
        "/theirs",
    }
    # The files of no app go with the last list.
    assert joined({}, MEMORY.loaded, {"theirs"}, scope).keys() == {"/shared"}
    assert joined({}, MEMORY.loaded, set(), scope) == {}
