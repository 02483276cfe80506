# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The base of this collection's modules, and what those have in common that are steps of a run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, from_os_error
from ansible_collections.wsgi.stack.plugins.module_utils._progress import BOARD, SECONDS
from ansible_collections.wsgi.stack.plugins.module_utils.host import _display, _redact
from ansible_collections.wsgi.stack.plugins.module_utils.host._root import require_root


class Module(AnsibleModule):
    """A module whose results may be shown on a terminal, whatever apps and visitors have written into what it read.

    Neither results nor parameters, which are shown with -vvv, have the passwords and tokens in URLs that it was given.

    Files and directories that it makes have the modes that the code says, whatever the umask of root's login is.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        os.umask(0o022)
        super().__init__(*arguments, **settings)
        self.no_log_values.update(_redact.credentials_in(self.params))

    def exit_json(self, **kwargs: Any) -> NoReturn:
        super().exit_json(**self._shown(kwargs))

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        traces = {key: kwargs.pop(key) for key in ("exception",) if key in kwargs}
        super().fail_json(**self._shown({"msg": msg, **kwargs}), **traces)

    def warn(self, warning: str, **kwargs: Any) -> None:
        super().warn(_display.shown(warning), **kwargs)

    def _shown(self, result: dict[str, Any]) -> dict[str, Any]:
        # First without secrets, since one is not recognized once a character of it is replaced.
        found: dict[str, Any] = _display.shown(remove_values(result, self.no_log_values))
        return found


@dataclass(frozen=True)
class Step:
    """What a module does, apart from the module, so that ``survey`` can ask in check mode what it would do.

    :ivar options: the argument specification
    :ivar work: takes the parameters, whether to run in check mode, and by name what changes the host, if ``survey`` has not to
        carry that along; returns the result, with ``failed`` and ``msg`` if the step failed for the host and has something to
        return, and with ``warnings``
    :ivar rules: further arguments of AnsibleModule, such as ``mutually_exclusive``
    :ivar shows_secrets: whether ``no_log`` keeps parameters out of the journal only, and not out of the result
    """

    options: Mapping[str, Any]
    work: Callable[..., dict[str, Any]]
    rules: Mapping[str, Any] = field(default_factory=dict)
    shows_secrets: bool = False
    needs_root: bool = True

    def run(self, params: Mapping[str, Any], check: bool, **actors: Callable[..., Any]) -> dict[str, Any]:
        """The result, also of a step that failed for the host.

        :param actors: what changes the host, see ``work``; not needed in check mode
        """
        try:
            return self.work(params, check, **actors)
        except StackError as failure:
            return {"failed": True, "msg": f"{failure.step}: {failure.cause}"}
        except OSError as error:
            return {"failed": True, "msg": from_os_error(error).cause}

    def main(self, **actors: Callable[..., Any]) -> None:
        """Be the module.

        :param actors: see ``run``
        """
        module = Module(dict(self.options), supports_check_mode=True, **self.rules)
        if self.needs_root:
            require_root(module)
        if self.shows_secrets:
            module.no_log_values.clear()
        with contextlib.nullcontext() if module.check_mode else BOARD.shown():
            result = self.run(module.params, module.check_mode, **actors)
        if SECONDS:
            result["seconds"] = {name: round(seconds, 1) for name, seconds in SECONDS.items()}
        for warning in result.pop("warnings", ()):
            module.warn(warning)
        if result.pop("failed", False):
            module.fail_json(**result)
        module.exit_json(**result)
