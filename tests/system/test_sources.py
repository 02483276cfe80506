# SPDX-License-Identifier: GPL-3.0-or-later
"""Where code comes from, and what installs it."""

from __future__ import annotations

import subprocess

import pytest
from conftest import HELLO

# Builds the one wheel of a private index by hand, and serves it on loopback for as long as the host lives.
PRIVATE_INDEX = """
mkdir -p /srv/index/simple/greeter && cd /srv/index
python3 - <<'END'
import zipfile
info = "greeter-1.0.dist-info/"
files = {
    "greeter.py": "TEXT = 'from the private index'\\n",
    info + "METADATA": "Metadata-Version: 2.1\\nName: greeter\\nVersion: 1.0\\n",
    info + "WHEEL": "Wheel-Version: 1.0\\nGenerator: hand\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}
files[info + "RECORD"] = "".join(name + ",,\\n" for name in [*files, info + "RECORD"])
with zipfile.ZipFile("simple/greeter/greeter-1.0-py3-none-any.whl", "w") as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
END
systemctl is-active --quiet private-index ||
    systemd-run --quiet --unit private-index python3 -m http.server --directory /srv/index --bind 127.0.0.1 8901
for _ in $(seq 50); do curl -sf http://127.0.0.1:8901/simple/greeter/ >/dev/null && exit; sleep 0.1; done; exit 1
"""

GREETER = "import greeter\n" + HELLO.replace('"hello"', "greeter.TEXT")


@pytest.fixture
def private_index(server):
    server.need("curl")
    server.sh(PRIVATE_INDEX)


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_private_index_is_passed_through_to_the_installer(server, hello, code, private_index, installer):
    variable = {"uv": "UV_DEFAULT_INDEX", "pip": "PIP_INDEX_URL"}[installer]
    app = {
        **hello,
        "source": code(GREETER),
        "packages": ["greeter"],
        "build_environment": {variable: "http://user:s3cret@127.0.0.1:8901/simple/"},
    }
    play = server.converge([app], "-vvv", app_installer=installer)
    assert server.get("/").startswith("200 from the private index|")
    assert "s3cret" not in play.output
    assert "s3cret" not in server.sh("journalctl --no-pager"), "a secret was logged on the host"


def test_pip_and_uv_install_the_same(server, hello, code):
    app = {**hello, "source": code(HELLO), "packages": ["tinydb==4.8.2"]}
    frozen = {}
    for installer in ("pip", "uv"):
        server.converge([app], app_installer=installer)
        frozen[installer] = server.sh("/srv/wsgi/hello/current/run python -c 'import tinydb; print(tinydb.__version__)'")
    assert frozen == {"pip": "4.8.2\n", "uv": "4.8.2\n"}


def test_a_project_is_installed_with_what_it_depends_on(server, hello, code, tmp_path):
    source = code("raise SystemExit('the installed package is what should be imported')\n")
    (tmp_path / "code/pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "shop"\nversion = "1.0"\ndependencies = ["tinydb==4.8.2"]\n[tool.setuptools]\npackages = ["shop"]\n'
    )
    (tmp_path / "code/shop").mkdir()
    (tmp_path / "code/shop/__init__.py").write_text("import tinydb\n" + HELLO)
    server.converge([{**hello, "source": source, "entry_point": "shop:application"}])
    assert server.get("/").startswith("200 hello|")


# A user with an empty repository that PUBLIC_KEY opens, and a place to commit to it from.
KEEPER = """
id keeper >/dev/null 2>&1 || useradd -m -s /bin/sh keeper
rm -rf /home/keeper/*
install -d -o keeper -m 0700 /home/keeper/.ssh
echo 'PUBLIC_KEY' >/home/keeper/.ssh/authorized_keys
chown keeper /home/keeper/.ssh/authorized_keys
su keeper -c '
    git config --global user.name Keeper && git config --global user.email keeper@example.com
    git init -q --bare -b main ~/shop.git && git clone -q ~/shop.git ~/work 2>/dev/null
'
"""


@pytest.fixture
def private_repository(server, tmp_path):
    """A repository on the host that one key opens, over SSH; gives its URL, the key, the host's keys, and a way to commit."""
    server.need("git", "curl")
    key = tmp_path / "deploy_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    server.sh(KEEPER.replace("PUBLIC_KEY", key.with_suffix(".pub").read_text().strip()))

    def commit(text: str, tag: str = "") -> str:
        server.sh(f"cat >/home/keeper/work/app.py <<'END'\n{text}\nEND\n")
        tagging = f"git tag -m {tag} {tag} &&" if tag else ""
        script = f"cd ~/work && git add . && git commit -qm change && {tagging} git push -q --follow-tags origin HEAD:main"
        return server.sh(f"su keeper -c '{script} && git rev-parse HEAD'").strip()

    known_hosts = [f"127.0.0.1 {line}" for line in server.sh("cat /etc/ssh/ssh_host_ed25519_key.pub").splitlines()]
    return {
        "git": "ssh://keeper@127.0.0.1/home/keeper/shop.git",
        "deploy_key": key.read_text(),
        "known_hosts": known_hosts,
    }, commit


def test_a_private_repository_by_branch_tag_and_commit(server, hello, private_repository):
    source, commit = private_repository
    first = commit(HELLO.replace('"hello"', '"first"'), "v1")
    server.converge([{**hello, "source": {**source, "version": "main"}}])
    assert server.get("/").startswith("200 first|")
    commit(HELLO.replace('"hello"', '"second"'))
    for version, greeting in [("main", "second"), ("v1", "first"), ("HEAD", "second"), (first, "first")]:
        server.converge([{**hello, "source": {**source, "version": version}}])
        assert server.get("/").startswith(f"200 {greeting}|"), version
    assert "OPENSSH PRIVATE KEY" not in server.sh("grep -rls 'OPENSSH PRIVATE KEY' /srv /run /tmp /opt /usr/local || true")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"version": "no-such-branch"}, "no-such-branch"),
        ({"known_hosts": ["127.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA"]}, "verification failed"),
    ],
    ids=["unknown version", "unknown host key"],
)
def test_a_repository_that_does_not_give_the_code_is_told_and_harms_nothing(server, hello, private_repository, wrong, why):
    source, commit = private_repository
    commit(HELLO)
    server.converge([{**hello, "source": source}])
    play = server.play([{**hello, "source": {**source, **wrong}}])
    assert play.code
    assert play.message.startswith("app hello: source:"), play.message
    assert why in play.message
    assert server.get("/").startswith("200 hello|")
