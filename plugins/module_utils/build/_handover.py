# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""How uv and pip get credentials: never as arguments, which all users of a host can read.

Variables can be read by no other user. But uv and pip start git with a URL as an argument, and pip starts itself with the URLs of
its indexes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.build import _git
from ansible_collections.wsgi.stack.plugins.module_utils.host import _credentials
from ansible_collections.wsgi.stack.plugins.module_utils.host._sandbox import FILES

REQUIREMENTS = "requirements.txt"
NETRC = "netrc"
PIP_INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS")


class Handover:
    """The variables, files and arguments of an installer.

    :param environment: the variables that it is to have
    :param access: to repositories over SSH
    :ivar environment: the variables, without credentials where these would become arguments
    :ivar files: the files of the sandbox
    """

    def __init__(self, environment: Mapping[str, str], access: _git.Access):
        indexes = {name: environment[name] for name in PIP_INDEXES if name in environment}
        try:
            netrc = _credentials.netrc(indexes.values())
        except ValueError as error:
            cause = f"pip cannot take the credentials of {error} in build_environment, which have a blank, a quote or a backslash"
            raise StackError("install", f"{cause}; change it, or set app_installer: uv.") from None
        bare = {name: _credentials.without(value) for name, value in indexes.items()}
        self._git_urls: list[str] = []
        self.files = {**_git.files([]), **access.files, **({NETRC: netrc} if netrc else {})}
        self.environment = {
            **_git.ENVIRONMENT,
            "GIT_SSH_COMMAND": access.command,
            **environment,
            **bare,
            **({"NETRC": f"{FILES}/{NETRC}"} if netrc else {}),
        }

    def arguments(self, files: Sequence[str], targets: Sequence[str]) -> list[str]:
        """The arguments for requirements files and for requirements; what has credentials comes by another way.

        Of a URL for git, they go to git; any other requirement with credentials stands in a file.
        """
        shown: list[str] = []
        secret: list[str] = []
        for target in targets:
            bare, of_git = _credentials.without(target), _credentials.of_git(target)
            self._git_urls += of_git
            (shown if of_git or bare == target else secret).append(bare if of_git else target)
        self.files.update(_git.files(self._git_urls))
        if secret:
            self.files[REQUIREMENTS] = "".join(f"{target}\n" for target in secret)
            files = [*files, f"{FILES}/{REQUIREMENTS}"]
        return [*(word for path in files for word in ("-r", path)), *(["--", *shown] if shown else [])]
