# SPDX-License-Identifier: GPL-3.0-or-later
"""The Celery application: ``celery -A board worker`` and ``celery -A board beat``."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "board.settings")
app = Celery("board")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
