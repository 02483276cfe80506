# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.doctor import _backends


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/run/apps/shop/blue.sock", ("wsgi-blue@shop", "blue")),
        ("/run/apps/shop/green.sock", ("wsgi-green@shop", "green")),
        ("/run/wsgi/shop/blue.sock", None),
        ("/run/apps/shop/red.sock", None),
        ("/run/apps/shop/blue", None),
        ("/run/apps/blog/blue.sock", None),
    ],
)
def test_a_slot_is_known_wherever_its_runtime_directory_is(monkeypatch, path, found):
    text = "d /run/apps/shop 0750 root www-data -\nL /run/apps/shop/app.sock - - - - blue.sock\n"
    boot = {"/etc/tmpfiles.d/wsgi-live-shop.conf": text}
    monkeypatch.setattr(_backends._files, "text_of", lambda name: boot.get(name, ""))
    slot = _backends._slot(path)
    assert (slot and (slot[0].instance(slot[1]), slot[1])) == found
