# SPDX-License-Identifier: GPL-3.0-or-later
"""A board of pictures."""

from board.celery import app as celery_app

__all__ = ["celery_app"]
