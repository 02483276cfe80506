# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of this collection's modules."""

from __future__ import annotations

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.wsgi.stack.plugins.module_utils.host import _display, _redact


class Module(AnsibleModule):
    """A module whose results may be shown on a terminal, whatever apps and visitors have written into what it read.

    Neither results nor parameters, which are shown with -vvv, have the passwords and tokens in URLs that it was given.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
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
