# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.wsgi.stack.plugins.module_utils.process_managers import _starter_programs
from ansible_collections.wsgi.stack.plugins.module_utils.process_managers._starters import Catalog

MAIN = "/etc/supervisor/supervisord.conf"
FILE = """
[program:gunicorn]
command=/srv/auth/venv/bin/gunicorn -b %(ENV_HOST)s:1 -b unix:/run/%(program_name)s.sock app
directory=/srv/auth
stderr_logfile=/var/log/auth.err
stdout_logfile=/var/log/auth.out
autostart=false

[program:many]
command=x
process_name=%(program_name)s_%(process_num)02d
redirect_stderr=true
stdout_logfile=/var/log/many.log

[group:auth]
programs=gunicorn,other
"""


def programs(**texts):
    return {each.name: each for each in _starter_programs.parsed({MAIN: "", "/etc/x.conf": FILE, **texts}, MAIN)}


def test_a_program_has_the_name_that_supervisorctl_wants():
    found = programs()
    assert set(found) == {"auth:gunicorn", "many:many_00"}
    assert (found["auth:gunicorn"].group, found["auth:gunicorn"].starts_at_boot) == ("auth", False)
    assert found["auth:gunicorn"].logs() == ["/var/log/auth.err", "/var/log/auth.out"]
    assert found["many:many_00"].logs() == ["/var/log/many.log"]
    assert found["many:many_00"].starts_at_boot


def test_a_file_that_supervisor_would_refuse_hides_no_other():
    assert set(programs(**{"/etc/bad.conf": "no section"})) == {"auth:gunicorn", "many:many_00"}


def test_a_program_names_an_address():
    starters = _starter_programs.starters(_starter_programs.Supervisor(programs()))
    (named,) = Catalog(tuple(starters)).naming("/run/gunicorn.sock")
    assert (named.starter.program, named.files) == ("auth:gunicorn", ("/etc/x.conf",))


def test_files_are_included_from_the_main_file_and_read(tmp_path):
    (tmp_path / "conf.d/deep").mkdir(parents=True)
    (tmp_path / "supervisord.conf").write_text("[include]\nfiles = conf.d/*.conf %(here)s/conf.d/*/*.ini\n")
    (tmp_path / "conf.d/a.conf").write_text("[program:a]\ncommand=a\n")
    (tmp_path / "conf.d/deep/b.ini").write_text("[program:b]\ncommand=b\n")
    found = _starter_programs.read([str(tmp_path / "supervisord.conf")])
    assert set(found.programs) == {"a", "b"}
    assert not found.answers


def test_what_supervisord_says_of_a_program():
    info = {"name": "a", "group": "a", "statename": "FATAL", "spawnerr": "can't find command", "pid": 0, "stdout_logfile": "/x"}
    found = _starter_programs.state(info, {"command": "a --b", "directory": "none"})
    assert (found.state, found.error, found.command, found.directory, found.logs) == (
        "FATAL",
        "can't find command",
        "a --b",
        "",
        ("/x",),
    )


def test_another_supervisor_is_controlled_with_its_file():
    assert _starter_programs.control(MAIN) == "supervisorctl"
    assert _starter_programs.control("/etc/supervisord.conf") == "supervisorctl -c /etc/supervisord.conf"
