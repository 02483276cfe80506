# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/getting-started.md, done as it says: its files are written, its commands run, and they print what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml
from conftest import ROOT, on

PAGE = (ROOT / "docs/getting-started.md").read_text().partition("\n## Write an app\n")[2]
SERVER = "web1.example.com"

# A file that is named in its first line, or an indented block: commands, or what the one before has printed.
PARTS = re.compile(r"^```\w+\n# (?P<path>\S+)\n(?P<text>.*?)^```$|(?P<block>(?:^    [^\n]*\n)+)", re.DOTALL | re.MULTILINE)


def words(text: str) -> str:
    """The words of a text, with those in place of which every run has others."""
    text = re.sub(r"\b[0-9a-f]{9}\b", "REVISION", text)
    text = re.sub(r"\b\d+\.\d$", "SECONDS", text, flags=re.MULTILINE)
    return " ".join(text.split())


def run(server, command: str, where: Path) -> str:
    """A command as a reader runs it, whose computer finds the server under the name that it has in the page."""
    if command.startswith("curl "):
        return server.sh(command.replace(SERVER, "127.0.0.1"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    collections = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1", "PATH": path}
    done = subprocess.run(
        command, shell=True, cwd=where, env={**os.environ, **collections}, check=False, capture_output=True, text=True
    )
    return f"{done.stdout}{done.stderr}\nexit code {done.returncode}"


@on(13, "new_server")
def test_the_page_works_as_it_is_written(new_server, tmp_path):
    (login,) = yaml.safe_load(Path(new_server.inventory).read_text())["wsgi"]["hosts"].values()
    variables = tmp_path / f"host_vars/{SERVER}.yml"
    variables.parent.mkdir()
    variables.write_text(yaml.safe_dump(login))
    printed, codes = "", []
    for part in PARTS.finditer(PAGE):
        if part["path"]:
            file = tmp_path / part["path"]
            file.parent.mkdir(exist_ok=True)
            file.write_text(part["text"])
        elif part["block"].startswith(("    ansible", "    curl ")):
            for command in part["block"].splitlines():
                printed = run(new_server, command.strip(), tmp_path)
                print(f"$ {command.strip()}\n{printed}")
                codes += re.findall(r"exit code (\d+)$", printed)
        else:
            assert words(part["block"]) in words(printed), f"{part['block']}\nis not in\n{printed}"
    assert codes == ["0", "0", "0", "0", "2", "0", "0", "0", "0"]
