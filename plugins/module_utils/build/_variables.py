# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The variables of an ``environment_file`` that is inside the source."""

from __future__ import annotations

import os
import stat

from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _dotenv
from ansible_collections.wsgi.stack.plugins.module_utils.apps._schema import on_controller
from ansible_collections.wsgi.stack.plugins.module_utils.host import _untrusted


def of_source(app: App, source: str, finished: bool = True) -> dict[str, str]:
    """The variables of that file; none if there is no such file.

    This runs as root, and a symlink in the source may point to a file that the app must not read, so symlinks out of the source
    are refused. Nothing can change in the meantime, since the source belongs to root.

    :param source: the directory of the source
    :param finished: whether the build is; before, the file may still be missing, and what nginx will serve is not known
    :raises StackError: there is no such file, or it cannot be read as one
    """
    path = app["environment_file"]
    if path is None or on_controller(path):
        return {}
    source = os.path.realpath(source)
    real = os.path.realpath(os.path.join(source, path))
    if not real.startswith(source + os.sep):
        raise StackError("environment", f"{path} is a symlink to {real}, outside the source; put the file into the source.")
    if not os.path.isfile(real):
        if not finished:
            return {}
        raise StackError(
            "environment", f"the source has no file {path}; correct environment_file, or add the file to the source."
        )
    with open(real, "rb") as stream:
        if finished and os.fstat(stream.fileno()).st_mode & stat.S_IROTH:  # which only ``_permissions.publish`` gives
            raise StackError(
                "environment", f"{path} is in a static directory, which nginx serves to everybody; move one of the two."
            )
        try:
            text = stream.read(_untrusted.LIMIT + 1)
            if len(text) > _untrusted.LIMIT:
                raise ValueError(f"it has more than {_untrusted.LIMIT >> 20} MiB")
            return _dotenv.parse(text)
        except ValueError as error:
            raise StackError("environment", f"{path}, {error}; correct the file. The running release is unchanged.") from None
