# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.host import _glob


def test_patterns_match_in_any_component(tmp_path):
    for name in ("a/1.conf", "b/2.conf", "b/.3.conf", "b/4.ini"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "b/5.conf").symlink_to("/nowhere")
    found = [path[len(str(tmp_path)) + 1 :] for path in _glob.matching(f"{tmp_path}/*/*.conf")]
    assert found == ["a/1.conf", "b/2.conf", "b/5.conf"]
    assert _glob.matching(f"{tmp_path}/b/4.ini") == [f"{tmp_path}/b/4.ini"]
    assert _glob.matching("relative/*") == _glob.matching(f"{tmp_path}/none") == []
    assert len(_glob.matching(f"{tmp_path}/*/*", 2)) == 2
