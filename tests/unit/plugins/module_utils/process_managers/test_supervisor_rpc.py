# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of supervisord's XML-RPC interface."""

from __future__ import annotations

import xmlrpc.client

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils._errors import StackError
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _supervisor_files, _supervisor_rpc


def test_a_password_is_given_and_a_wrong_one_told(supervisord):
    supervisord.wanted = "Basic YTpi"
    with pytest.raises(StackError, match=r"supervisord answers 401 .*; correct the username and password in "):
        _supervisor_rpc.call("reloadConfig")
    with open(_supervisor_files.CONFIGURATION, "a", encoding="utf-8") as stream:
        stream.write("username=a\npassword=b\n")
    assert _supervisor_rpc.process_info() == {}


def test_without_a_supervisord_nothing_is_known(supervisord):
    supervisord.answers["getAllProcessInfo"] = xmlrpc.client.Fault(6, "SHUTDOWN_STATE")
    assert _supervisor_rpc.process_info() is None
    supervisord.answers["getAllProcessInfo"] = xmlrpc.client.Fault(1, "UNKNOWN_METHOD")
    with pytest.raises(StackError, match="does not list its programs: UNKNOWN_METHOD"):
        _supervisor_rpc.process_info()
    with open(_supervisor_files.CONFIGURATION, "w", encoding="utf-8") as stream:
        stream.write("[unix_http_server]\nfile=/nonexistent/s.sock\n")
    assert _supervisor_rpc.process_info() is None
    with open(_supervisor_files.CONFIGURATION, "w", encoding="utf-8") as stream:
        stream.write("[supervisord]\n")
    with pytest.raises(StackError, match=r"has no \[unix_http_server\] with a file"):
        _supervisor_rpc.interface()
