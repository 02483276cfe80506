# SPDX-License-Identifier: GPL-3.0-or-later
"""Where code comes from, and what installs it."""

from __future__ import annotations

import subprocess

import pytest
from conftest import HELLO, on

pytestmark = on(12)

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
    server.sh(PRIVATE_INDEX)


# A user with an empty repository that PUBLIC_KEY opens, and a place to commit to it from.
KEEPER = """
id keeper >/dev/null 2>&1 || useradd -m -s /bin/sh keeper
rm -rf /home/keeper/*
install -d -o keeper -m 0700 /home/keeper/.ssh
echo 'PUBLIC_KEY' >/home/keeper/.ssh/authorized_keys
chown keeper /home/keeper/.ssh/authorized_keys
su keeper -c '
    git config --global user.name Keeper && git config --global user.email keeper@example.com
    git init -q --bare -b main ~/shop.git && git clone -q ~/shop.git ~/clone 2>/dev/null
'
"""


@pytest.fixture
def private_repository(server, tmp_path):
    """A repository on the host that one key opens, over SSH; gives its URL, the key, the host's keys, and a way to commit."""
    server.need("git")
    key = tmp_path / "deploy_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    server.sh(KEEPER.replace("PUBLIC_KEY", key.with_suffix(".pub").read_text().strip()))

    def commit(text: str, tag: str = "", first: str = "") -> str:
        server.sh(f"cat >/home/keeper/first <<'END'\n{first}\nEND\nsu keeper -c 'sh -eu ~/first'")
        server.sh(f"cat >/home/keeper/clone/app.py <<'END'\n{text}\nEND\n")
        tagging = f"git tag -m {tag} {tag} &&" if tag else ""
        script = f"cd ~/clone && git add . && git commit -qm change && {tagging} git push -q --follow-tags origin HEAD:main"
        return server.sh(f"su keeper -c '{script} && git rev-parse HEAD'").strip()

    known_hosts = [f"127.0.0.1 {line}" for line in server.sh("cat /etc/ssh/ssh_host_ed25519_key.pub").splitlines()]
    return {
        "git": "ssh://keeper@127.0.0.1/home/keeper/shop.git",
        "deploy_key": key.read_text(),
        "known_hosts": known_hosts,
    }, commit


PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "shop"
version = "1.0"
dependencies = ["tinydb==4.8.2"]
[tool.setuptools]
packages = ["shop"]
"""


# What the key opens besides: a library, as a requirement and as a submodule.
PRIVATE_FILES = """
git init -q -b main ~/library && cd ~/library
mkdir module && echo TEXT=1 | tee module/__init__.py >__init__.py
cat >pyproject.toml <<X
[build-system]
requires = ["setuptools"]
[project]
name = "module"
version = "1"
[tool.setuptools]
packages = ["module"]
X
git add . && git commit -qm module && git clone -q --bare ~/library ~/library.git
cd ~/clone && git -c protocol.file.allow=always submodule --quiet add ~/library.git sub
git config -f .gitmodules submodule.sub.url ../library.git
echo "module @ git+ssh://keeper@127.0.0.1/home/keeper/library.git" >requirements.txt
"""
PRIVATE = "import module, sub\n" + HELLO.replace('"hello"', '"second"')

# A repository with a file in Git LFS, for all users of the host.
LARGE_FILES = """
[ ! -e /srv/large.git ] || exit 0
git init -q /root/large && cd /root/large && git config user.name Root && git config user.email root@example.com
git lfs install --local >/dev/null && git lfs track "*.png" >/dev/null && head -c 5000 /dev/urandom >logo.png
cat >app.py <<'END'
CODE
END
git add . && git commit -qm large && git init -q --bare -b main /srv/large.git
git remote add origin file:///srv/large.git && git push -q origin HEAD:main
chmod -R a+rX /srv/large.git
"""


@pytest.fixture
def large_files(server):
    """The URL of a repository on the host with an application that tells the size of a file in Git LFS, which is 5000 bytes."""
    server.need("git", "git-lfs")
    server.sh(LARGE_FILES.replace("CODE", HELLO.replace('"hello"', 'str(os.path.getsize("logo.png"))')))
    return "file:///srv/large.git"


OPTIONAL = """
[project]
name = "shop"
version = "1.0"
[project.optional-dependencies]
tiny = ["tinydb==4.8.2"]
[dependency-groups]
prod = ["six==1.16.0"]
"""
LOCKED = "import six, tinydb\n" + HELLO.replace('"hello"', 'tinydb.__version__ + " " + six.__version__')

FLAT = """
[build-system]
requires = ["setuptools"]
[project]
name = "shop"
version = "1.0"
"""


def test_every_source_with_both_installers(server, hello, code, tmp_path, private_index, private_repository, large_files):
    """Each kind of source is an app, so that a play with each installer has them all."""
    repository, commit = private_repository
    first = commit(HELLO.replace('"hello"', '"first"'), "v1")
    commit(PRIVATE, first=PRIVATE_FILES)
    index = "http://user:h1dden@127.0.0.1:8901/simple/"
    project = code("raise SystemExit('the installed package is what should be imported')\n", "project")
    (tmp_path / "project/pyproject.toml").write_text(PROJECT)
    (tmp_path / "project/shop").mkdir()
    (tmp_path / "project/shop/__init__.py").write_text("import tinydb\n" + HELLO)
    requirements = code("import tinydb\n" + HELLO, "requirements")
    (tmp_path / "requirements/requirements.txt").write_text("tinydb==4.8.2\n")
    lock = code(LOCKED, "lock")
    (tmp_path / "lock/pyproject.toml").write_text(OPTIONAL)
    (tmp_path / "lock/poetry.lock").write_text("")
    flat = code("import media, tinydb\n" + HELLO, "flat")
    (tmp_path / "flat/pyproject.toml").write_text(FLAT)
    (tmp_path / "flat/requirements.txt").write_text("tinydb==4.8.2\n")
    for package in ("media", "other"):
        (tmp_path / "flat" / package).mkdir()
        (tmp_path / "flat" / package / "__init__.py").write_text("")
    kinds = {
        "branch": ({"source": {**repository, "version": "main"}}, "second"),
        "tag": ({"source": {**repository, "version": "v1"}}, "first"),
        "commit": ({"source": {**repository, "version": first}}, "first"),
        "head": ({"source": repository}, "second"),
        "large-files": ({"source": {"git": large_files}, "system_packages": ["git-lfs"]}, "5000"),
        "project": ({"source": project, "entry_point": "shop:application"}, "hello"),
        "requirements": ({"source": requirements}, "hello"),
        "index": (
            {
                "source": code(GREETER, "index"),
                "packages": ["greeter"],
                "build_environment": {"UV_DEFAULT_INDEX": index, "PIP_INDEX_URL": index},
            },
            "from the private index",
        ),
        "lock": ({"source": lock, "extras": ["tiny"], "groups": ["prod"]}, "4.8.2 1.16.0"),
        "no-package": ({"source": flat, "requirements": ["requirements.txt"]}, "hello"),
        # Credentials elsewhere than in build_environment, which all modules get.
        "url": (
            {
                "source": code(GREETER, "url"),
                "packages": [f"greeter @ {index}greeter/greeter-1.0-py3-none-any.whl", "six"],
            },
            "from the private index",
        ),
    }
    apps = [{**hello, "name": kind, "mount": f"/{kind}", "processes": 1, **keys} for kind, (keys, _greeting) in kinds.items()]
    for installer in ("uv", "pip"):
        play = server.converge(apps, "-vvv", app_installer=installer)
        for kind, (_keys, greeting) in kinds.items():
            assert server.get(f"/{kind}/").startswith(f"200 {greeting}|"), (installer, kind)
        stamps = server.sh("cat " + " ".join(f"/srv/wsgi/{kind}/current/build/build.json" for kind in kinds))
        assert stamps.count(f'"installer": "{installer}"') == len(kinds)
        assert "h1dden" not in play.output
        assert "app lock: poetry.lock is not read; to install the versions in it, write them" in " ".join(play.output.split())
    assert "h1dden" not in server.sh("journalctl --no-pager"), "a secret was logged on the host"
    assert not server.sh("grep -rls 'OPENSSH PRIVATE KEY' /srv /run /tmp /opt /usr/local || true"), "a deploy key stayed"


def test_a_repository_that_does_not_give_the_code_is_told_and_harms_nothing(server, hello, private_repository, large_files):
    repository, commit = private_repository
    commit(HELLO)
    wrong = {
        "version": ({"version": "no-such-branch"}, "has no branch or tag no-such-branch"),
        "host-key": ({"known_hosts": ["127.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA"]}, "verification failed"),
        "deploy-key": (
            {"deploy_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----"},
            "ermission denied",
        ),
        "no-lfs": ({"git": large_files}, "it has files in Git LFS, and there is no git-lfs on the host; add git-lfs to"),
    }
    apps = [{**hello, "name": name, "mount": f"/{name}", "source": repository} for name in wrong]
    server.converge(apps)
    commit(HELLO.replace('"hello"', '"new"'))
    server.sh("mv /usr/bin/git-lfs /usr/bin/git-lfs.away")
    play = server.play([{**app, "source": {**repository, **wrong[app["name"]][0]}} for app in apps])
    server.sh("mv /usr/bin/git-lfs.away /usr/bin/git-lfs")
    assert play.code
    told = play.message.splitlines()
    assert len(told) == len(wrong), told
    for name, (_keys, why) in wrong.items():
        (line,) = [line for line in told if line.startswith(f"app {name}: source:")]
        assert why in line
        assert server.get(f"/{name}/").startswith("200 hello|")


UPLOADS = """
import os, local

HERE = os.path.dirname(os.path.abspath(__file__))


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    if environ["REQUEST_METHOD"] == "POST":
        with open(os.path.join(HERE, "media", name), "xb") as stream:
            os.fchmod(stream.fileno(), int(environ["QUERY_STRING"], 8)) if environ["QUERY_STRING"] else None
            stream.write(environ["wsgi.input"].read())
    headers = [("X-Accel-Redirect", "/private/first.txt")] if name == "invoice" else []
    start_response("200 OK", [("Content-Type", "text/plain"), *headers])
    return [f"{local.TOKEN[:3]} {open(os.path.join(HERE, 'settings.ini')).read()}".encode()]
"""

BOTTLE = """
import bottle

application = bottle.Bottle()
application.get("/")(lambda: "bottle")


@application.get("/steal")
def steal():
    bottle.response.set_header("X-Accel-Redirect", "/private/first.txt")
"""
"""On the domain of another app, whose internal file it names."""

BY_OTHERS = """
ls -l $1 | sed 1d
setpriv --reuid nobody --regid nogroup --clear-groups cat $1/first.txt $1/open 2>&1 || true
"""


def test_a_build_with_commands_files_and_data_that_outlives_it(server, code, tmp_path):
    source = code(UPLOADS)
    here = tmp_path / "code"
    (here / "media").mkdir()
    (here / "media/first.txt").write_text("first")
    (tmp_path / "settings.j2").write_text("{{ app.name }} {{ inventory_hostname }}")
    app = {
        "name": "uploads",
        "source": source,
        "entry_point": "app:application",
        "domains": ["uploads.test"],
        "environment": {"GREETING": "hello"},
        "files": {
            "local.py": {"content": "TOKEN = 's3cret-token'\n"},
            "settings.ini": {"src": str(tmp_path / "settings.j2")},
        },
        "build_commands": [
            "mkdir assets && touch $WSGI_SHARED/lost logs/lost",
            "unpacked=$(mktemp -d) && cp /bin/true $unpacked && $unpacked/true",  # the host's /tmp is mounted with noexec
            "python -c 'import local, os; print(local.TOKEN); print(os.environ[\"GREETING\"])' | tail -n 1 >assets/made",
        ],
        "shared_paths": ["media", "logs"],
        "static": [
            {"url": "/assets/", "directory": "assets"},
            {"url": "/media/", "shared": "media"},
            {"url": "/private/", "shared": "media", "internal": True},
        ],
    }
    bottle = {
        "name": "bottle",
        "source": {"package": "bottle==0.13.4"},
        "entry_point": "site_of:application",
        "domains": ["uploads.test"],
        "mount": "/bottle",
        "files": {"site_of.py": {"content": BOTTLE}},
        "build_commands": ["python -c 'import site_of' && pwd >built"],
    }
    play = server.converge([app, bottle], "-vvv")
    assert "s3cret-token" not in play.output
    pages = ("/", "/assets/made", "/media/first.txt", "/private/first.txt", "/invoice")
    answers = [f"200 s3c uploads {server.name}", "200 hello\n", "200 first", "404", "200 first"]

    def look():
        found = [server.get(page, "uploads.test") for page in pages]
        return ["404" if answer.startswith("404") else answer for answer in found]

    assert look() == answers
    assert server.get("/bottle/", "uploads.test") == "200 bottle"
    assert server.get("/bottle/steal", "uploads.test")[:3] == "404"
    assert server.sh("cat /srv/wsgi/bottle/current/build/source/built").endswith("/site-packages\n")
    assert server.sh("find /srv/wsgi/uploads/current/build/source/ -name local.py -printf '%m %u:%g'") == "640 root:uploads"
    assert server.sh("find /srv/wsgi/uploads/shared -name lost") == "/srv/wsgi/uploads/shared/logs/lost\n"

    post = "curl -sS --data-binary $2 -H 'Host: uploads.test' http://127.0.0.1/$1"
    server.sh(post, "new", "text")
    server.sh(post, "open?644", "text")
    server.sh(post, "closed?600", "text")
    assert [server.get(f"/media/{name}", "uploads.test")[:3] for name in ("new", "open", "closed")] == ["200", "200", "403"]
    told = server.sh(BY_OTHERS, "/srv/wsgi/uploads/shared/media").splitlines()
    assert [line.split()[0] for line in told[:4]] == ["-rw-------+", "-rw-r-----+", "-rw-r-----+", "-rw-r--r--+"], told
    assert [line.rpartition(": ")[2] for line in told[4:]] == ["Permission denied"] * 2, told
    assert server.converge([app, bottle]).changed == []

    # What is missing is made again; a changed variable makes a new build, and the data stays.
    server.sh("rm -r /srv/wsgi/uploads/shared/logs; setfacl -b /srv/wsgi/uploads/shared/media")
    assert server.get("/media/first.txt", "uploads.test")[:3] == "403"
    assert server.converge([app, bottle]).changed == ["wsgi.stack.app : Release the builds"]
    answers[1] = "200 bye\n"
    server.converge([{**app, "environment": {"GREETING": "bye"}}, bottle])
    assert look() == answers
    assert [server.get(f"/media/{name}", "uploads.test")[:3] for name in ("new", "closed")] == ["200", "403"]

    wrong = {**app, "build_commands": ["true", "echo 'Error: no s3cret-token here'; exit 3"]}
    leaky = {**bottle, "build_commands": [], "files": {"site_of.py": {"content": "T = 's3cret-token'\nraise ValueError(T)\n"}}}
    play = server.play([wrong, leaky])
    assert "s3cret-token" not in play.output
    upload_failed, import_failed = play.message.splitlines()
    assert "ValueError: ***; " in import_failed
    assert upload_failed == (
        "app uploads: build_commands: echo 'Error: no *** here'; exit 3 (2 of 2) ended with exit code 3: Error: no *** here;"
        " fix that and run the play again, which starts again at the first command. The running release is unchanged."
    )
    assert look() == answers
