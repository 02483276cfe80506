# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Notes that the steps of this run keep on the controller, for each host.

A file per host and subject in Ansible's temporary directory, which is new for each run, shared by its workers and removed at its
end. Registered results and facts do not serve: results have to be listed one by one, and facts outlive a run in a fact
cache, are lost by ``meta: clear_facts``, are not taken from a failed task, and of a loop only the last item's remain.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote

from ansible import constants


def add(subject: str, host: str, note: dict[str, Any]) -> None:
    """Keep a note."""
    with open(_path(subject, host), "a", encoding="utf-8", opener=_private) as stream:
        stream.write(json.dumps(note) + "\n")


def read(subject: str, host: str) -> list[dict[str, Any]]:
    """The notes so far, in their order."""
    try:
        with open(_path(subject, host), encoding="utf-8") as stream:
            return [json.loads(line) for line in stream]
    except FileNotFoundError:
        return []


def claim(subject: str, name: str) -> bool:
    """Whether this is the first host that asks for something of this run.

    :param name: of letters and digits
    """
    try:
        os.close(os.open(_path(subject, name), os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def _path(subject: str, host: str) -> str:
    return os.path.join(vars(constants)["DEFAULT_LOCAL_TMP"], f"wsgi.stack-{subject}-{quote(host, safe='')}.jsonl")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
