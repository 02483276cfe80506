# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Observations that fail alone: one that cannot be made is a finding, and the others go on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, TypeVar

from ansible_collections.wsgi.stack.plugins.module_utils.doctor._findings import WARNING, Finding

T = TypeVar("T")


@dataclass
class Attempts:
    """The observations of an examination.

    :ivar failed: a finding for each one that could not be made
    """

    failed: list[Finding] = field(default_factory=list)

    def make(self, what: str, call: Callable[[], T]) -> T | None:
        """Make an observation.

        :param what: what is observed, at the beginning of a sentence
        :returns: None if it fails
        """
        try:
            return call()
        except Exception as error:  # it may be anything: what is examined is of any origin
            message = f"{what} could not be examined: {type(error).__name__}: {error}."
            self.failed.append(
                Finding(WARNING, "not_examined", message[:500], (), "Look at it by hand; the other findings stand.")
            )
            return None
