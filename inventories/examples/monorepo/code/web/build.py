# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for a bundler: writes to dist, with a digest in the names of assets, so that browsers can keep them for good."""

from __future__ import annotations

import hashlib
from pathlib import Path

HERE = Path(__file__).resolve().parent

script = (HERE / "app.js").read_bytes()
name = f"app.{hashlib.sha256(script).hexdigest()[:12]}.js"
assets = HERE / "dist/assets"
assets.mkdir(parents=True)
(assets / name).write_bytes(script)
(HERE / "dist/index.html").write_text((HERE / "index.html").read_text().replace("app.js", name))
