# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the flags of an installed uWSGI."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.host._command import Completed
from ansible_collections.wsgi.stack.plugins.module_utils.uwsgi_plugin import _uwsgi_binary

# What `uwsgi --cflags` prints, without the warnings.
DEBIAN_12 = (
    "-O2 -I. -Wall -D_LARGEFILE_SOURCE -g -O2 -ffile-prefix-map=/build/uwsgi-Q8eEU7/uwsgi-2.0.21=. -DUWSGI_ZLIB -DUWSGI_PCRE"
    ' -DUWSGI_ROUTING -DUWSGI_CAP -DUWSGI_UUID -DUWSGI_VERSION="\\"2.0.21-debian\\"" -DUWSGI_YAML -DUWSGI_LIBYAML'
    " -I/usr/include/yajl -DUWSGI_JSON -DUWSGI_SSL -I/usr/include/libxml2 -DUWSGI_XML"
    ' -DUWSGI_PLUGIN_DIR="\\"/usr/lib/uwsgi/plugins\\""\n'
)
DEBIAN_13 = DEBIAN_12.replace("-DUWSGI_PCRE", "-DUWSGI_PCRE2").replace("2.0.21", "2.0.28")


@pytest.mark.parametrize(("flags", "pcre"), [(DEBIAN_12, "libpcre3-dev"), (DEBIAN_13, "libpcre2-dev")])
def test_the_packages_follow_from_the_macros(flags, pcre):
    wanted = ["libcap-dev", pcre, "libssl-dev", "uuid-dev", "zlib1g-dev"]
    assert _uwsgi_binary.packages(_uwsgi_binary.macros(flags)) == wanted


def test_the_order_of_flags_and_where_uwsgi_was_compiled_make_no_difference():
    words = DEBIAN_12.replace("Q8eEU7", "other").split()
    assert _uwsgi_binary.macros(" ".join(reversed(words))) == _uwsgi_binary.macros(DEBIAN_12)
    assert "-DUWSGI_PCRE" in _uwsgi_binary.macros(DEBIAN_12)


def test_the_directory_of_plugins_is_compiled_in():
    assert _uwsgi_binary.plugin_directory(DEBIAN_12) == "/usr/lib/uwsgi/plugins"
    assert _uwsgi_binary.plugin_directory("-O2 -DUWSGI_PCRE") == ""


@pytest.fixture
def installed(monkeypatch):
    """A uWSGI that answers these flags, or ends with a code."""

    def install(flags="", code=0):
        answers = {"--version": "2.0.21-debian\n", "--dot-h": "struct uwsgi_server;\n", "--cflags": flags}
        monkeypatch.setattr(
            _uwsgi_binary, "run", lambda argv, timeout: Completed(tuple(argv), code, answers[argv[1]] if code == 0 else "broken")
        )

    return install


def test_the_key_has_what_a_plugin_depends_on(installed):
    installed(DEBIAN_12)
    core = _uwsgi_binary.read()
    assert core.key == {
        "version": "2.0.21-debian",
        "header": "445f4eade69ab81f85d8a30a9e431201",
        "flags": list(_uwsgi_binary.macros(DEBIAN_12)),
    }
    assert (core.directory, core.release) == ("/usr/lib/uwsgi/plugins", "2.0.21")


@pytest.mark.parametrize(
    ("flags", "code", "wanted"),
    [
        ("", 127, r"there is no /usr/bin/uwsgi; install the package uwsgi-core\."),
        ("", 1, r"/usr/bin/uwsgi does not run \(broken\); reinstall"),
        ('-DUWSGI_PLUGIN_DIR="\\".\\""', 0, r"has no directory for plugins \(found '\.'\)"),
    ],
)
def test_a_uwsgi_that_can_have_no_plugins_is_refused(installed, flags, code, wanted):
    installed(flags, code)
    with pytest.raises(StackError, match=wanted):
        _uwsgi_binary.read()
