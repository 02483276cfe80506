# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""What the steps of a run would do, asked of all of them in one process: each is run in check mode."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.accounts import _step as accounts
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _changes, _resolve
from ansible_collections.wsgi.stack.plugins.module_utils.apps import _site_plan as site_plan
from ansible_collections.wsgi.stack.plugins.module_utils.build import _step as build
from ansible_collections.wsgi.stack.plugins.module_utils.certbot import _step as certificate
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree import _step as config_tree
from ansible_collections.wsgi.stack.plugins.module_utils.config_tree._memory import MemoryFile
from ansible_collections.wsgi.stack.plugins.module_utils.host import _once, _packages, _systemd
from ansible_collections.wsgi.stack.plugins.module_utils.host._module import Step
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _firewall_ports as firewall_ports
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _site_certificates as site_certificates
from ansible_collections.wsgi.stack.plugins.module_utils.nginx._files import SERVED
from ansible_collections.wsgi.stack.plugins.module_utils.release import _release
from ansible_collections.wsgi.stack.plugins.module_utils.release import _step as release
from ansible_collections.wsgi.stack.plugins.module_utils.removal import _step as retire
from ansible_collections.wsgi.stack.plugins.module_utils.reservation import _step as reservation
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _site_probe as site_probe
from ansible_collections.wsgi.stack.plugins.module_utils.rollout import _step as rollout
from ansible_collections.wsgi.stack.plugins.module_utils.survey import _references, _settled
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _step as uwsgi_plugin

STEPS: dict[str, Step] = {
    "wsgi.stack.accounts": accounts.STEP,
    "wsgi.stack.build": build.STEP,
    "wsgi.stack.certificate": certificate.STEP,
    "wsgi.stack.config_tree": config_tree.STEP,
    "wsgi.stack.firewall_ports": firewall_ports.STEP,
    "wsgi.stack.release": release.STEP,
    "wsgi.stack.reservation": reservation.STEP,
    "wsgi.stack.retire": retire.STEP,
    "wsgi.stack.rollout": rollout.STEP,
    "wsgi.stack.site_probe_info": site_probe.STEP,
    "wsgi.stack.site_plan": site_plan.STEP,
    "wsgi.stack.site_certificates": site_certificates.STEP,
    "wsgi.stack.uwsgi_plugin": uwsgi_plugin.STEP,
}

SIDE_BY_SIDE = 4
"""Steps that are asked at the same time: mostly they wait for systemd and for other programs."""

TELLS = ("changed", "failed", "failures", "warnings", "needed", "skipped", "unused", "leaving", "outdated", "deferred", "msg")
"""What a result has, and is not empty, if its step has something to do or to say."""

TELLS_OF_APPS = {"changed", "failures", "deferred"}
"""Those of them of which ``_settled`` knows for which apps."""


@dataclass(frozen=True)
class Answer:
    """What a step says.

    :ivar result: what it would return, if it has nothing to do
    :ivar told: what it would return, if it could be asked; for no other apps than those of which that can be said
    :ivar settled: the names of the apps that it has nothing to do for, if it has for others
    """

    result: dict[str, Any] | None = None
    told: dict[str, Any] | None = None
    settled: tuple[str, ...] = ()

    def returned(self) -> dict[str, Any]:
        """The answer as the module ``survey`` returns it: ``result`` and, if there are any, the apps that are ``settled``."""
        if self.told is None or not self.settled:
            return {"result": self.result}
        return {"result": None, "settled": {"apps": [*self.settled], "result": _settled.result(self.told, self.settled)}}


def survey(steps: Sequence[Mapping[str, Any]]) -> list[Answer]:
    """What each step would return.

    :param steps: in their order: ``module``, ``register`` or "", and ``arguments``, which can refer to what earlier ones return
    :returns: the answer of each step. One that takes the result of a step that has something to do is asked for the apps that
        are settled there, if it does its work for each app by itself
    """
    asked: list[Future[Answer]] = []
    registered: dict[str, Future[Answer]] = {}
    with _once.unchanging(), ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for step in steps:
            asked.append(pool.submit(_ask, step, dict(registered)))
            if step["register"]:
                registered[step["register"]] = asked[-1]
    return [each.result() for each in asked]


def live(steps: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The ``release`` that is live of each app, its number, its ``revision`` and its ``entry``, by name. Apps without one are
    left out.

    :param steps: see ``survey``
    """
    found = {}
    for app in (app for step in _builds(steps) for app in step["arguments"]["apps"]):
        layout = _layout.of(app)
        number = _release.linked(layout.current)
        if number is not None:
            with contextlib.suppress(OSError, ValueError):
                release = _release.read(layout, number)
                found[app["name"]] = {"release": number, "revision": release["revision"], "entry": release.get("entry")}
    return found


def changes(
    steps: Sequence[Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]], told: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[str]]:
    """What changes of each app, in the words of its entry, by name: the lines.

    :param steps: see ``survey``
    :param before: what ``live`` returned
    :param told: what each step returned that could be asked, by module
    """
    found = {}
    sites = MemoryFile("nginx").read().notes
    builds = told.get("wsgi.stack.build", {}).get("builds", {})
    for step in _builds(steps):
        secrets = _resolve.read_secrets(step["arguments"]["secrets"])
        for app in step["arguments"]["apps"]:
            name = app["name"]
            if name not in before:
                found[name] = ["new"]
            elif entry := before[name]["entry"]:
                revisions = before[name]["revision"], builds.get(name, {}).get("revision")
                environment = secrets[name]["environment"]
                after = _changes.entry(app, environment)
                seen = {**entry, **_changes.site(sites.get(name, {}), environment)}
                lines = _changes.changes(seen, after, revisions, SERVED)
                found.update({name: lines} if lines else {})
    return found


def sources(steps: Sequence[Mapping[str, Any]], told: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names of the apps whose source is a directory on the controller, and that need another build.

    :param steps: see ``survey``
    :param told: see ``changes``
    """
    builds = told.get("wsgi.stack.build", {}).get("builds", {})
    sent = (name for step in _builds(steps) for name in step["arguments"]["directories"] or {})
    return [name for name in sent if builds.get(name, {}).get("changed")]


def _builds(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [step for step in steps if step["module"] == "wsgi.stack.build"]


def _ask(step: Mapping[str, Any], registered: Mapping[str, Future[Answer]]) -> Answer:
    """Ask a step, as soon as those that it takes results of have answered."""
    module, arguments = step["module"], step["arguments"]
    taken = {name: registered[name].result() for name in _references.registered(arguments) if name in registered}
    busy = any(answer.result is None for answer in taken.values())
    names = _settled_everywhere(arguments, taken) if busy and module in _settled.AFFECTED else set()
    if busy and not names:
        return Answer()
    try:
        results = {name: answer.told for name, answer in taken.items()}
        arguments = _references.resolve(_settled.arguments(arguments, names) if busy else arguments, results)
    except KeyError:
        return Answer()
    if module in BUILTIN:
        nothing = {"changed": False} if BUILTIN[module](arguments) else None
        return Answer(nothing, nothing)
    known = STEPS[module]
    validated = ArgumentSpecValidator(known.options, **known.rules).validate(arguments)
    if validated.error_messages:
        return Answer()
    try:
        result = known.run(validated.validated_parameters, True)
    except Exception:  # the step itself will run, and tell
        return Answer()
    tells = {key for key in TELLS if result.get(key)}
    if not tells and not busy:
        return Answer(result, result)
    if module not in _settled.AFFECTED or not tells <= TELLS_OF_APPS:
        return Answer(None, result)
    rest = _settled.AFFECTED[module](result)
    return Answer(None, result, tuple(app["name"] for app in arguments["apps"] if app["name"] not in rest))


def _settled_everywhere(arguments: Mapping[str, Any], taken: Mapping[str, Answer]) -> set[str]:
    """The names of the apps in the arguments that every step is done with whose results they take."""
    names = {app["name"] for app in arguments["apps"]}
    return names.intersection(*(answer.settled for answer in taken.values() if answer.result is None))


def _has_packages(arguments: Mapping[str, Any]) -> bool:
    return _packages.installed(arguments["name"]) == set(arguments["name"])


def _has_started(arguments: Mapping[str, Any]) -> bool:
    unit = _systemd.properties(arguments["name"], ["ActiveState", "UnitFileState"])
    return unit.get("ActiveState") == "active" and unit.get("UnitFileState") == "enabled"


BUILTIN: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "wsgi.stack.packages": _has_packages,
    "ansible.builtin.systemd_service": _has_started,
}
"""Modules that are not ours in the end: whether a host is as these arguments want it."""
