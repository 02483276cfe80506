# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials in URLs: what is left without them, and the files that have them."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.host import _credentials


@pytest.mark.parametrize(
    ("url", "bare", "store", "netrc"),
    [
        ("https://u:p@h/x", "https://h/x", "https://u:p@h\n", "machine h login u password p\n"),
        ("https://t@h:8/x", "https://h:8/x", "https://t:@h:8\n", "machine h login t password x-oauth-basic\n"),
        ("https://u%40:p%2F@h/", "https://h/", "https://u%40:p%2F@h\n", "machine h login u@ password p/\n"),
        ("https://h/x@v1", "https://h/x@v1", "", ""),
        ("ssh://git@h/x", "ssh://git@h/x", "", ""),
        ("ssh://git:p@h/x", "ssh://git@h/x", "", ""),
        ("git@h:x", "git@h:x", "", ""),
    ],
)
def test_credentials_go_from_the_url_to_the_files(url, bare, store, netrc):
    assert _credentials.without(url) == bare
    assert _credentials.git_store([url]) == store
    assert _credentials.netrc([url]) == netrc


def test_of_a_requirement_only_urls_of_git_are_for_git():
    assert _credentials.of_git("a @ git+https://t@h/a.git@v1") == ["https://t@h/a.git@v1"]
    assert _credentials.of_git("a @ https://t@h/a.whl") == []


@pytest.mark.parametrize("password", ["a%20b", "%22a", "a%5Cb", "%23a", "a%0Ab"])
def test_what_netrc_cannot_have_is_refused(password):
    with pytest.raises(ValueError, match=r"^host$"):
        _credentials.netrc([f"https://u:{password}@host:1/"])
