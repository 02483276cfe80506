# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Builds: an app's code and its virtual environment, immutable, named by a digest of what went in."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, TypeVar

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils._app import App
from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError, for_each_app
from ansible_collections.wsgi.stack.plugins.module_utils.build import _git, _interpreter, _uv
from ansible_collections.wsgi.stack.plugins.module_utils.build._assemble import BuildSpec, make, unpublished
from ansible_collections.wsgi.stack.plugins.module_utils.build._choice import additions
from ansible_collections.wsgi.stack.plugins.module_utils.build._stamp import read_stamp
from ansible_collections.wsgi.stack.plugins.module_utils.host._redact import of_files, redactor, secret_values

T = TypeVar("T")

FORMAT = 1
"""Part of every digest: to be incremented when builds are made differently from the same inputs, so that all are rebuilt."""

ASK_AT_ONCE = 16
"""Repositories asked at the same time: that is waiting, not computing."""


@dataclass
class BuildRequest:
    """One call: what is asked for, for all apps.

    :param secrets: as ``apps._resolve.read_secrets`` gives them
    :param directories: of each app whose source is a directory on the controller, ``digest``, and ``archive`` when its files
        were sent, or ``error`` if it could not be read
    :param jobs: builds made at once
    """

    secrets: Mapping[str, Mapping[str, Any]]
    directories: Mapping[str, Mapping[str, str]]
    installer: str
    uv_version: str
    jobs: int
    check_mode: bool
    interpreters: _interpreter.Prober = field(default_factory=_interpreter.Prober)

    def of(self, app: App) -> Mapping[str, Any]:
        """The app's secrets."""
        return self.secrets.get(app["name"], {})

    def guard(self, work: Callable[[App], T]) -> Callable[[App], T]:
        """``work`` that raises nothing but ``StackError``, without the app's secrets in it."""

        def work_guarded(app: App) -> T:
            secrets = self.of(app)
            values = [*secret_values(secrets.get("build_environment") or {}), secrets.get("deploy_key") or ""]
            return guarded(lambda: work(app), [*values, *of_files(secrets.get("files") or {})])

        return work_guarded


def guarded(work: Callable[[], T], secrets: Iterable[str] = ()) -> T:
    """Do something, and turn all that goes wrong into a ``StackError`` without secrets and without passwords of addresses."""
    redact = redactor(secrets)
    try:
        return work()
    except StackError as failure:
        raise StackError(failure.step, redact(failure.cause), redact(failure.log)) from None
    except (OSError, RecursionError) as error:
        cause = f"{error}; correct that on the host and run the play again."
        raise StackError("build", redact(cause), redact(traceback.format_exc())) from None


@dataclass
class BuildPlan:
    """The build that one app has and the one that it needs.

    :ivar digest: None in check mode if it cannot be known yet, on a host where git or the interpreter is missing
    :ivar stamp: the ``build.json`` of the needed build; None if it has to be made
    :ivar before: the ``digest``, ``revision`` and ``python`` of the current build; empty without one
    """

    app: App
    python: dict[str, Any] | None = None
    revision: str | None = None
    digest: str | None = None
    stamp: dict[str, Any] | None = None
    changed: bool = True
    before: dict[str, Any] = field(default_factory=dict)

    @property
    def layout(self) -> _layout.Layout:
        return _layout.of(self.app)

    def result(self) -> dict[str, Any]:
        return {
            "digest": self.digest,
            "path": self.layout.build(self.digest) if self.digest else None,
            "revision": self.revision,
            "python": self.python,
            "changed": self.changed,
        }


def build(apps: Sequence[App], request: BuildRequest) -> dict[str, Any]:
    """Make the builds that are missing.

    :returns: the module's result, or ``needed`` alone: the apps whose directories have to be sent first, with nothing done yet
    """
    plans, failures = for_each_app(apps, request.guard(lambda app: plan(app, request)), max(request.jobs, ASK_AT_ONCE))
    wanted = [candidate for candidate in plans.values() if candidate.changed]
    if not request.check_mode:
        missing = [candidate.app for candidate in wanted if candidate.stamp is None]
        directories = [app["name"] for app in missing if app["source"]["kind"] == "directory"]
        needed = [name for name in directories if "archive" not in request.directories[name]]
        if needed:
            return {"changed": False, "needed": needed}
        done, failed = _make(wanted, request)
        for name, changed in done.items():
            plans[name].changed = changed
        failures += failed
    without = {failure["app"] for failure in failures}
    good = [planned for name, planned in plans.items() if name not in without]
    return {
        "changed": any(planned.changed for planned in good),
        "builds": {planned.app["name"]: planned.result() for planned in good},
        "failures": failures,
        **_told(planned for planned in good if planned.changed and planned.stamp is None),
        "diff": _diff(planned for planned in good if planned.changed),
    }


def _told(made: Iterable[BuildPlan]) -> dict[str, list[str]]:
    """The warnings of builds that were made, as the module's result has them: nothing if there are none."""
    stamps = [read_stamp(planned.layout.build(planned.digest or "")) or {} for planned in made]
    warnings = [stamp["unread"] for stamp in stamps if stamp.get("unread")]
    return {"warnings": warnings} if warnings else {}


def plan(app: App, request: BuildRequest) -> BuildPlan:
    """Find out which build an app needs, and whether it exists; changes nothing."""
    error = request.of(app).get("error")
    if error:
        raise StackError("files", error)
    _check_account(app, request.check_mode)
    planned = BuildPlan(app)
    planned.before = _present(planned.layout)
    try:
        planned.python = request.interpreters.probe(app["python"])
    except StackError:
        if not (request.check_mode and app["system_packages"]):  # one of which may bring it
            raise
    planned.revision = _revision(app, request)
    if planned.python is not None and planned.revision is not None:
        planned.digest = digest(app, planned.revision, planned.python, request.installer, request.of(app))
        planned.stamp = read_stamp(planned.layout.build(planned.digest))
        planned.changed = planned.stamp is None or bool(unpublished(app, planned.stamp))
    return planned


def digest(
    app: App, revision: str, python: Mapping[str, Any], installer: str, secrets: Mapping[str, Mapping[str, str] | None]
) -> str:
    """The name of a build: the same ingredients, the same name.

    What only says how to get them is not in it (a changed password must not make every build anew), nor is anything that a
    release adds. The variables of the app are in it if its build has commands: which of them the commands read is unknown, and
    what they make must not be that of other values.

    :param secrets: the app's
    """
    ingredients: list[Any] = [
        FORMAT,
        app["source"]["kind"],
        revision,
        [python["executable"], python["version"], python["soabi"]],
        installer,
        app["requirements"],
        [app["extras"], app["groups"]],
        [redactor()(package) for package in additions(app)],
        app["working_directory"],
        app["build_commands"] and [app["build_commands"], secrets.get("environment")],
        secrets.get("files") or {},
        sorted(app["shared_paths"]),
    ]
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()[:16]


def _check_account(app: App, check_mode: bool) -> None:
    user, home = app["user"], app["directory"]
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        if check_mode:
            return
        cause = f"there is no user {user}; the role wsgi.stack.app creates it, with the home {home}."
        raise StackError("user", cause) from None
    if account.pw_dir != home:
        cause = f"the user {user} already exists with the home {account.pw_dir}, not {home}"
        raise StackError("user", f"{cause}; give the app another name.")


def _revision(app: App, request: BuildRequest) -> str | None:
    source = app["source"]
    if source["kind"] == "package":
        return redactor()(str(source["package"]))
    if source["kind"] == "directory":
        found = request.directories[app["name"]]
        if "error" in found:
            raise StackError("source", f"{found['error']} on the controller; make it readable or exclude it.")
        return found["digest"]
    version = str(source["version"])
    if _git.COMMIT.fullmatch(version):
        return version
    if request.check_mode and not _git.installed():
        return None
    return _git.Repository(app, request.of(app).get("deploy_key"), request.check_mode).resolve(version)


def _present(layout: _layout.Layout) -> dict[str, Any]:
    """The build of the current release, or else the latest: what a new one follows."""
    current = os.path.realpath(os.path.join(layout.current, "build"))
    stamp = read_stamp(current) if os.path.dirname(current) == os.path.realpath(layout.builds) else None
    if stamp is None:
        with contextlib.suppress(FileNotFoundError):
            stamps = [read_stamp(entry.path) for entry in os.scandir(layout.builds)]
            stamp = max((stamp for stamp in stamps if stamp), key=lambda stamp: stamp.get("made", 0), default=None)
    return {key: stamp.get(key) for key in ("digest", "revision", "python")} if stamp else {}


def _make(wanted: Sequence[BuildPlan], request: BuildRequest) -> tuple[dict[str, bool], list[dict[str, Any]]]:
    plans = {planned.app["name"]: planned for planned in wanted}
    uv, failures = None, []
    missing = [name for name, planned in plans.items() if planned.stamp is None]
    if missing and request.installer == "uv":
        try:
            uv = guarded(lambda: _uv.ensure(request.uv_version))
        except StackError as failure:
            failures = [failure.result(name) for name in missing]

    def work(app: App) -> bool:
        planned = plans[app["name"]]
        archive = request.directories.get(app["name"], {}).get("archive")
        spec = BuildSpec(app, planned.digest or "", planned.revision or "", planned.python or {}, request.of(app), archive, uv)
        return make(spec)

    possible = [planned.app for planned in wanted if not (failures and planned.stamp is None)]
    done, failed = for_each_app(possible, request.guard(work), request.jobs)
    return done, failures + failed


def _diff(plans: Iterable[BuildPlan]) -> dict[str, Any]:
    before, after = {}, {}
    for planned in plans:
        name = planned.app["name"]
        python = planned.python["version"] if planned.python else None
        before[name] = planned.before
        after[name] = {"digest": planned.digest, "revision": planned.revision, "python": python}
    return {"before": before, "after": after}
