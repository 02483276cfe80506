# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection, and may change in any release.
"""Run nginx to find out whether it is installed, whether its configuration passes the test, and what is in it.

``nginx -T`` is not as harmless as it looks. It creates the pid file and missing log files, and gives the directories of temporary
files and caches to the user in the configuration: the workers of a running nginx, which may have another user, can then take no
more uploads. So it runs in a unit in which it can write nothing, and where a directory in memory takes the place of each one that
it would write to. It prints nothing if the test fails. The files are read from the disk then, in the same form.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host import _nginx_process, _sandbox
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed, run
from ansible_collections.wsgi.stack.plugins.module_utils.nginx import _includes, _paths, _syntax

MAIN = _paths.MAIN
TIMEOUT = 20  # seconds
UNTESTED = 125
"""The exit code of a test that was not made; the output says why."""

OUTPUT = 1 << 27
"""Bytes of the output of ``nginx -T`` that are kept."""

READY = "wsgi.stack: ready"
"""What the sandbox prints before the output of nginx."""

UNTOUCHED = re.compile(r"/(?:dev/(?!shm/)|proc/|sys/|$)")
"""Directories that no other one takes the place of."""

SCRATCH = "/sys/fs/cgroup"
"""Where the sandbox keeps its own view of the directories: it exists under systemd, and nginx has nothing there."""

# Arguments: a directory, the names in it that nginx writes to, and "/"; and so on, each directory before those in it. A directory
# in memory takes its place, with symlinks to all else that is there.
STAND_INS = f"""
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs {SCRATCH}
count=0
while [ $# -gt 0 ]; do
    directory=$1 count=$((count + 1)) names=/
    shift
    while [ "$1" != / ]; do names=$names$1/; shift; done
    shift
    mkdir {SCRATCH}/$count
    mount --rbind "$directory" {SCRATCH}/$count
    mount -t tmpfs -o mode=755 tmpfs "$directory"
    for there in {SCRATCH}/$count/* {SCRATCH}/$count/.[!.]*; do
        name=${{there##*/}}
        case $names in
        */"$name"/*) if [ -d "$there" ]; then mkdir "$directory/$name"; fi ;;
        *)
            if [ -L "$there" ]; then
                cp -P "$there" "$directory/$name"  # a relative one leads somewhere from here alone
            elif [ -e "$there" ]; then
                ln -s "$there" "$directory/$name"
            fi
            ;;
        esac
    done
done
echo {READY}
"""

READ_ONLY = "(30: Read-only file system)"

WRITTEN = re.compile(r"pid|lock_file|error_log|access_log|\w+_temp_path|\w+_cache_path")
"""The directives whose first argument is a file or directory that a test creates, opens for writing, or gives away."""

NO_FILES = ("off", "stderr")
"""Arguments of these directives that name no file."""

BUILT_IN = re.compile(r"--\S+-(?:log|temp|pid|lock)-path=(\S+)|--(?:pid|lock)-path=(\S+)")
"""The same in what nginx was built with, as ``nginx -V`` prints it."""


def installed() -> bool:
    """Whether there is an nginx on this host."""
    return run([*command(), "-v"], timeout=TIMEOUT).code == 0


def command() -> list[str]:
    """The program of the running nginx with its options ``-c`` and ``-p``; the plain name if none runs."""
    running = _nginx_process.masters()
    return running[0].command if running else [_nginx_process.PROGRAM]


def test() -> Completed:
    """Run ``nginx -T`` without a trace. Its code is ``UNTESTED`` if that is impossible here, and 127 without nginx."""
    called = command()
    argv = (*called, "-T")
    build = run([called[0], "-V"], timeout=TIMEOUT)
    if build.code == 127:
        return Completed(argv, 127, build.output)
    if os.geteuid() != 0:
        return Completed(argv, UNTESTED, "only root can test the configuration")
    box = _sandbox.Sandbox("Test of nginx's configuration", {"ProtectSystem": "strict"})
    places = written(_syntax.split_dump(from_disk(_main(called))), build.output)
    words = [word for directory, names in places.items() for word in (directory, *names, "/")]
    done = box.run([["sh", "-ec", STAND_INS, "sh", *words], list(argv)], timeout=TIMEOUT, limit=OUTPUT)
    before, ran, output = done.output.partition(f"{READY}\n")
    if not ran:
        cause = next((line for line in before.splitlines() if line.strip()), done.last_line)
        return Completed(argv, UNTESTED, f"nginx cannot be kept from changing files here: {cause}")
    if done.code != 0 and READ_ONLY in output:
        return Completed(argv, UNTESTED, f"the test would change files: {Completed(argv, 1, output).last_line}")
    return Completed(argv, done.code, output)


def written(files: dict[str, str], build: str) -> dict[str, list[str]]:
    """What a test of a configuration would create or change: the names by their directory, each directory before those in it.

    :param files: the text of each file, the main one first
    :param build: the output of ``nginx -V``
    """
    prefix = re.search(r"--prefix=(\S+)", build)
    named = [found[1] or found[2] for found in BUILT_IN.finditer(build)]
    for path, text in files.items():
        for directive in _syntax.walk(_syntax.parse(text, path)):
            word = directive.arguments[0] if directive.arguments else ""
            if WRITTEN.fullmatch(directive.name) and word not in NO_FILES:
                named.append(word)
            elif directive.name == "listen" and word.startswith("unix:"):
                named.append(word[len("unix:") :])
    found: dict[str, list[str]] = {}
    for path in named:
        directory, name = os.path.split(os.path.join(prefix[1] if prefix else "/", path.rstrip("/")))
        directory = os.path.realpath(directory)
        if name and "$" not in path and ":" not in path and os.path.isdir(directory) and not UNTOUCHED.match(f"{directory}/"):
            names = found.setdefault(directory, [])
            names += [] if name in names else [name]
    return dict(sorted(found.items()))


def dump() -> str:
    """The configuration in the form of ``nginx -T``, even if it fails the test.

    :raises StackError: nginx is not installed
    """
    tested = test()
    if tested.code == 127:
        raise StackError("nginx", "nginx is not installed on this host; install the package nginx, or name the sockets.")
    return dumped(tested)


def dumped(tested: Completed) -> str:
    """The configuration after a test: as nginx printed it, or from the disk if it failed."""
    return tested.output if tested.code == 0 else from_disk(_main(tested.argv))


def _main(words: Iterable[str]) -> str:
    """The main configuration file that a command line of nginx names."""
    words = list(words)
    return words[words.index("-c") + 1] if "-c" in words else MAIN


def from_disk(main: str = MAIN) -> str:
    """Read the files of a configuration from the disk, in the form of ``nginx -T``.

    :param main: the main configuration file
    """
    return "".join(f"# configuration file {path}:\n{text}\n" for path, text, _patterns in _includes.files(main))
