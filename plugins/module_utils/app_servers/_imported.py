# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the import of an application has shown, as far as its server has to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INTERFACES = ("wsgi", "asgi")
"""How an application can be called."""

ASGI_WORKERS = {
    "gunicorn.workers.gasgi": "asgi",
    "uvicorn_worker": "uvicorn_worker.UvicornWorker",
    "uvicorn.workers": "uvicorn.workers.UvicornWorker",
}
"""The modules with workers for ASGI, the best first, and what gunicorn calls these. gunicorn has its own since 25, for which it
takes Python 3.10; with an older one, uvicorn's serve an app that brings them."""


@dataclass(frozen=True)
class Imported:
    """An application that was imported.

    :ivar interface: one of ``INTERFACES``
    :ivar threads: those that the import has started, in words; "" if there are none
    :ivar modules: those of ``ASGI_WORKERS`` that the build has, if it is an ASGI application
    """

    interface: str = "wsgi"
    threads: str = ""
    modules: tuple[str, ...] = ()

    @property
    def worker(self) -> str:
        """The worker for ASGI that the build has; "" if it has none."""
        return next((name for module, name in ASGI_WORKERS.items() if module in self.modules), "")


def presumed(app: Mapping[str, Any]) -> Imported:
    """What is assumed of an app before it is imported. Pure."""
    return Imported(app["interface"] or "wsgi", modules=tuple(ASGI_WORKERS))
