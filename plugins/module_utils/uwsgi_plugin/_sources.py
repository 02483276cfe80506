# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The sources of uWSGI's plugins: those of the distribution, or those of a later release from the host's package index."""

from __future__ import annotations

import ast
import contextlib
import difflib
import glob
import hashlib
import os
import re
import shlex
import shutil
import tempfile
from dataclasses import dataclass

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _directory
from ansible_collections.wsgi.stack.plugins.module_utils.build._causes import first_cause
from ansible_collections.wsgi.stack.plugins.module_utils.host import _files, _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import run
from ansible_collections.wsgi.stack.plugins.module_utils.host._environment import pip_command, pip_environment
from ansible_collections.wsgi.stack.plugins.module_utils.host._locks import locked

DISTRIBUTION = "/usr/src/uwsgi"
PACKAGE = "uwsgi-src"
DIRECTORY = "/usr/local/lib/wsgi"
RELEASE = "2.0.31"
"""The release of uWSGI that ``source: pypi`` means."""

SCRATCH = ".uwsgi-"
TIMEOUT = 600  # seconds

LOOPS = frozenset(["asyncio", "gevent", "greenlet", "stackless", "tornado"])
"""The plugins that depend on Python's: compiled for one interpreter, and including the headers of the plugin ``python``."""

FOR_PYTHON = frozenset(["python"]) | LOOPS


@dataclass(frozen=True)
class Sources:
    """A tree of uWSGI's.

    :ivar release: of uWSGI
    :ivar tree: the directory with ``plugins`` in it, which need not be there yet
    :ivar packaged: whether the tree comes from the distribution
    """

    release: str
    tree: str
    packaged: bool

    def plugin(self, name: str) -> str:
        """The directory of a plugin's sources."""
        return os.path.join(self.tree, "plugins", name)

    @property
    def present(self) -> bool:
        return os.path.isdir(os.path.join(self.tree, "plugins"))

    def digest(self, name: str) -> str | None:
        """The SHA-256 of the files that a plugin is compiled from; None if the tree is missing.

        :raises StackError: the tree has no such plugin
        """
        if not self.present:
            return None
        if not os.path.isfile(os.path.join(self.plugin(name), "uwsgiplugin.py")):
            similar = difflib.get_close_matches(name, os.listdir(os.path.join(self.tree, "plugins")), cutoff=0.75)
            wanted = f"did you mean {' or '.join(similar)}?" if similar else f"name a directory of {self.tree}/plugins."
            raise StackError("plugin", f"there is no plugin {name} in the sources of uWSGI {self.release}; {wanted}")
        parts = [_directory.digest(self.plugin(part), ["__pycache__"]) for part in (["python"] if name in LOOPS else []) + [name]]
        return parts[0] if len(parts) == 1 else hashlib.sha256(" ".join(parts).encode()).hexdigest()


def distribution(release: str) -> Sources:
    """The sources that the distribution's uWSGI was built from.

    :param release: that of the installed uWSGI, used as long as the sources are not installed
    """
    with contextlib.suppress(OSError), open(os.path.join(DISTRIBUTION, "uwsgiconfig.py"), encoding="utf-8") as stream:
        found = re.search(r"^uwsgi_version = '([\d.]+)'", stream.read(), re.MULTILINE)
        release = found[1] if found else release
    return Sources(release, DISTRIBUTION, packaged=True)


def released(release: str) -> Sources:
    """The sources of a release, which ``fetch`` downloads."""
    return Sources(release, os.path.join(DIRECTORY, f"uwsgi-{release}"), packaged=False)


def fetch(sources: Sources) -> None:
    """Download the source distribution of a release from the host's package index, unless it is there already.

    :raises StackError: it cannot be fetched; nothing is left of the attempt
    """
    if sources.packaged or sources.present:
        return
    directory = os.path.dirname(sources.tree)
    os.makedirs(directory, exist_ok=True)
    os.chmod(directory, 0o755)
    with locked("uwsgi-sources"):
        if not sources.present:
            for leftover in glob.glob(os.path.join(glob.escape(directory), f"{SCRATCH}*")):
                shutil.rmtree(leftover)
            with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=directory) as scratch:
                _fetch(sources, scratch)


# To find the requirements of a source distribution, pip runs its code, so this runs as a temporary user.
SCRIPT = """
{pip} download --no-deps --no-binary uwsgi --dest archive uwsgi=={release}
cat archive/*.tar.gz >&3
"""


def _fetch(sources: Sources, scratch: str) -> None:
    os.chmod(scratch, 0o711)
    archive, unpacked = (os.path.join(scratch, name) for name in ("archive.tar.gz", "unpacked"))
    pip = pip_command()
    variables = {**configuration(run([*pip, "config", "list"]).output), **pip_environment(None, {}), "HOME": "/tmp"}
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    script = exports + SCRIPT.format(pip=shlex.join(pip), release=shlex.quote(sources.release))
    completed = _sandbox.run_script(script, archive, TIMEOUT, network=True)
    if completed.code:
        fix = "correct source, or the index in the host's /etc/pip.conf"
        _refuse(sources, f"{first_cause(completed)[0]}; {fix}", completed.output)
    os.mkdir(unpacked)
    extract = ["tar", "--extract", "--gzip", "--no-same-owner", "--strip-components=1", "--wildcards"]
    extracted = run([*extract, f"--file={archive}", f"--directory={unpacked}", "*/plugins/*"], timeout=TIMEOUT)
    if extracted.code and _files.NO_SPACE.search(extracted.output):
        raise StackError("plugin", _files.no_space(sources.tree), extracted.output)
    if extracted.code:
        _refuse(sources, f"the download is not a source distribution ({extracted.last_line}); correct source", extracted.output)
    run(["chmod", "--recursive", "u=rwX,go=rX", unpacked])
    os.rename(unpacked, sources.tree)


def configuration(listed: str) -> dict[str, str]:
    """pip's configuration as environment variables, for a user who cannot read root's files: an index may have a password.

    :param listed: what ``pip config list`` prints
    """
    found = re.findall(r"^(?:global|download)\.([\w-]+)=(['\"].*['\"])$", listed, re.MULTILINE)
    return {f"PIP_{key.replace('-', '_').upper()}": ast.literal_eval(value) for key, value in found}


def _refuse(sources: Sources, cause: str, log: str) -> None:
    raise StackError("plugin", f"the sources of uWSGI {sources.release} cannot be fetched: {cause}.", log)
