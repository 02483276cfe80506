# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Flask app, as one of many on a host would be: a page from a template, and some JSON."""

from __future__ import annotations

from flask import Flask, jsonify, render_template_string, request

PAGE = """<!doctype html>
<title>{{ title }}</title>
<ul>{% for number in numbers %}<li>{{ number }} {{ title }}</li>{% endfor %}</ul>
"""

app = Flask(__name__)


@app.get("/")
def page():
    return render_template_string(PAGE, title="A page", numbers=range(100))


@app.get("/echo")
def echo():
    return jsonify(path=request.path, script_name=request.script_root, arguments=request.args)
