# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""The decisions of a rollout: which steps lead from the state of a host to the release that is wanted. All of it is pure.

Each step leaves a state from which ``plan`` finds the remaining ones, so the next rollout completes one that was interrupted.

If the new slot speaks another protocol than the old one, nginx has to be reloaded before the old one may stop, since for a moment
it has workers for both. The first call of such a rollout leaves the old slot as it is, and a second one finishes the switch.
"""

from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils import _layout
from ansible_collections.wsgi.stack.plugins.module_utils.app_servers import _registry
from ansible_collections.wsgi.stack.plugins.module_utils.rollout._state import Slot, State

RolloutStep = tuple[str, str]
"""An action and a slot."""


def plan(
    state: State, wanted: int, stack: str, preview: bool = False, finish: bool = False, workers: bool = False
) -> list[RolloutStep]:
    """The steps that make ``wanted`` the live release, under the process manager of ``stack``.

    ``start``: the release, in a slot that is stopped first if it runs; ``preview``: publish it as the staged release;
    ``workers``: those of the release, and none of the other slot that are single; ``flip``: nginx's symlink to the slot;
    ``record``: the live socket for everybody else, and what brings the slot back after a boot; ``stop``: a slot that serves no
    more, under whatever runs it.

    :param preview: stop before the flip
    :param finish: nginx uses the protocol of ``stack`` by now
    :param workers: whether the release has workers for this host
    """
    steps: list[RolloutStep] = []
    # What the first call has started may be too busy to answer by now, and the old slot may still have requests.
    slot = _target(state, wanted, stack, busy=finish)
    if staged(state, wanted, stack, busy=finish):
        if not _good(state.slots[slot], wanted, stack):
            steps.append(("start", slot))
        if preview:
            return [*steps, ("preview", slot)] if steps or state.preview != slot else []
    if workers if ("start", slot) in steps else not state.slots[slot].workers.up:
        steps.append(("workers", slot))
    if state.upstream != slot or ("start", slot) in steps:
        steps.append(("flip", slot))
    new, old = state.slots[slot], state.slots[_layout.other(slot)]
    if changes_protocol(old, stack) and not finish:
        return steps
    recorded = state.live == state.boot == slot and state.current == wanted and state.preview is None and not state.stale
    recorded = recorded and new.workers.recorded
    if steps or not recorded or new.enabled != (stack,) or old.enabled:
        steps.append(("record", slot))
    if old.stacks or old.enabled or old.workers.there:
        steps.append(("stop", _layout.other(slot)))
    return steps


def staged(state: State, wanted: int, stack: str, busy: bool = False) -> bool:
    """Whether ``wanted`` is not what is served, so that ``preview`` keeps it from going live."""
    serving = state.serving
    if serving is None or not _good(state.slots[serving], wanted, stack, busy):
        return True
    return state.preview == serving and not _is_reached(state, serving, stack)


def switching(state: State, wanted: int, stack: str) -> bool:
    """Whether the app changes its protocol, so that a second call has to finish the rollout after nginx was reloaded."""
    old = _layout.other(_target(state, wanted, stack))
    return state.serving is not None and changes_protocol(state.slots[old], stack)


def changes_protocol(old: Slot, stack: str) -> bool:
    """Whether a slot runs with another protocol than that of ``stack``, so that nginx may still use it."""
    return any(_registry.protocol(running) != _registry.protocol(stack) for running in old.stacks)


def _good(slot: Slot, wanted: int, stack: str, busy: bool = False) -> bool:
    return slot.stacks == (stack,) and slot.release == wanted and (slot.answers or busy) and not slot.outdated


def _target(state: State, wanted: int, stack: str, busy: bool = False) -> str:
    """The slot of the release that is wanted."""
    if state.serving is not None and _good(state.slots[state.serving], wanted, stack, busy):
        return state.serving
    return _idle(state, wanted, stack)


def _idle(state: State, wanted: int, stack: str) -> str:
    """The slot that visitors do not use."""
    if state.serving is not None:
        return _layout.other(state.serving) if _is_reached(state, state.serving, stack) else state.serving
    # Nothing is live, as after a first deployment that failed. A slot that runs may still have requests in flight.
    good = [slot for slot in _layout.SLOTS if _good(state.slots[slot], wanted, stack)]
    return next(iter([*good, *(slot for slot in _layout.SLOTS if not state.slots[slot].stacks)]), _layout.SLOTS[0])


def _is_reached(state: State, serving: str, stack: str) -> bool:
    """Whether visitors use the slot that is ``State.serving``.

    Of a switch of the protocol, nginx has its symlink before it is loaded with the new one, and that may have failed.
    """
    other = _layout.other(serving)
    if not changes_protocol(state.slots[other], stack):
        return True
    return state.live != other if state.served is None else state.served == _registry.protocol(stack)


def describe(state: State) -> str:
    """A state in words, for the diff."""
    if state.serving is None:
        return "nothing is live"
    slot = state.slots[state.serving]
    under = f" under {' and '.join(slot.stacks)}" if slot.stacks else ""
    health = "healthy" if slot.answers else "not healthy"
    outdated = f", but was started before {' and '.join(slot.outdated)} was replaced" if slot.outdated else ""
    return f"release {slot.release} is live in {state.serving}{under} and {health}{outdated}"


def describe_plan(steps: list[RolloutStep], release: int, stack: str) -> str:
    """A plan in words, for the diff."""
    return ", ".join(f"{action} {slot}" for action, slot in steps) + f" for release {release} under {stack}"
