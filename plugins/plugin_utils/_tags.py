# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The tags of the playbook ``site``: which steps a run is limited to, and whether they can do without the others. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

NEEDS: dict[str, tuple[str, ...]] = {
    "app": (),
    "rollout": ("app",),
    "nginx": ("app", "rollout"),
    "certbot": ("app", "rollout", "nginx"),
    "verify": (),
    "retire": ("nginx",),
}
"""The tags, and whose steps have to be done before those of each."""

EVERYTHING = {"all", "tagged"}


def of_run(variables: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What ``--tags`` and ``--skip-tags`` say. The command ``ansible`` has neither.

    :param variables: those that a task sees
    """
    return variables.get("ansible_run_tags", ["all"]), variables.get("ansible_skip_tags", [])


def selected(run: Collection[str], skip: Collection[str], task: Collection[str]) -> set[str]:
    """The tags whose steps run.

    :param run: what ``--tags`` says; ``all`` without it
    :param skip: what ``--skip-tags`` says
    :param task: the tags of a task that is of all steps: ``always``, and those that a playbook gave to the whole play
    """
    whole = {*run} & (EVERYTHING | ({*task} - {*NEEDS} - {"always"}))
    return {tag for tag in NEEDS if (whole or tag in run) and tag not in skip}


def unknown(run: Collection[str], task: Collection[str]) -> str:
    """A tag that no step has, in a sentence; "" if there is none. To skip such a tag leaves nothing out."""
    for tag in sorted({*run} - {*NEEDS, *task, *EVERYTHING}):
        return f"--tags {tag}: no task has this tag; use one of {', '.join(NEEDS)}."
    return ""


def left_out(chosen: Collection[str], idle: Collection[str], app_roles: Sequence[str]) -> str:
    """Why some steps cannot be done without others, in a sentence; "" if they can.

    :param chosen: the tags whose steps run
    :param idle: the roles that have nothing to do
    :param app_roles: those of the app servers
    """
    roles = {"app": ["app"], "rollout": app_roles, "nginx": ["nginx"]}
    busy = {tag for tag, names in roles.items() if not {*names} <= {*idle}}
    wanted = {*chosen}
    while more := {need for tag in wanted for need in NEEDS[tag] if need in busy} - wanted:
        wanted |= more
    missing = [tag for tag in NEEDS if tag in wanted and tag not in chosen]
    if not missing:
        return ""
    steps, first = (", ".join(names) for names in ([tag for tag in NEEDS if tag in chosen and {*NEEDS[tag]} & wanted], missing))
    return (
        f"tags: {steps} cannot run without {first}, which would have something to do here first;"
        f" use --tags {','.join(tag for tag in NEEDS if tag in wanted)}, or no tags."
    )
