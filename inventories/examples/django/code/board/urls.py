# SPDX-License-Identifier: GPL-3.0-or-later
"""One page: the pictures, and a form to add one."""

from django.forms import modelform_factory
from django.shortcuts import redirect, render
from django.urls import path

from board.models import Picture
from board.tasks import measure


def board(request):
    form = modelform_factory(Picture, fields=["title", "file"])(request.POST or None, request.FILES or None)
    if form.is_valid():
        measure.delay(form.save().pk)
        return redirect("/")
    return render(request, "board.html", {"pictures": Picture.objects.order_by("-id")[:50], "form": form})


urlpatterns = [path("", board)]
