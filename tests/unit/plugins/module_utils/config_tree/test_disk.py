# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the disk."""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.config_tree import _disk


def test_what_is_unneeded_is_in_the_directory_and_leads_to_nothing_that_is_needed(tmp_path):
    for name in ("shop", "shop-old", "blog"):
        (tmp_path / name / "live").mkdir(parents=True)
    (tmp_path / "file").touch()
    needs = [f"{tmp_path}/shop/live/fullchain.pem", f"{tmp_path}/file", "/etc/other/blog"]
    assert _disk.unneeded(str(tmp_path), needs) == [f"{tmp_path}/blog", f"{tmp_path}/shop-old"]
    assert _disk.unneeded(str(tmp_path / "missing"), needs) == []
    assert _disk.unneeded(None, needs) == []
