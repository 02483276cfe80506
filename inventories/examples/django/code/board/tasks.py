# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done beside requests."""

from celery import shared_task

from board.models import Picture


@shared_task
def measure(number):
    """Notes how large a picture is; one that was just added asks for it."""
    for picture in Picture.objects.filter(pk=number):
        picture.size = picture.file.size
        picture.save(update_fields=["size"])


@shared_task
def measure_others():
    """Has those measured that were not, such as those from before there was a task for it; beat asks for it."""
    for number in Picture.objects.filter(size=None).values_list("pk", flat=True):
        measure.delay(number)
