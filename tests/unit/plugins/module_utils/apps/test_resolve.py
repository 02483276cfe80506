# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user writes, checked and completed."""

from __future__ import annotations

import pytest

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve

SHOP = {"name": "shop", "source": {"git": "https://git.example.com/shop.git"}, "entry_point": "shop.wsgi:application"}


def app(**keys):
    return {**SHOP, **keys}


def refusal(*apps, **settings):
    with pytest.raises(_resolve.InventoryError) as caught:
        _resolve.resolve(list(apps), **settings)
    return str(caught.value)


def test_a_minimal_app_has_every_key():
    (resolved,) = _resolve.resolve([SHOP])
    assert set(resolved) == (set(_resolve.APP) - set(_resolve.SECRETS)) | {
        "files",
        "user",
        "group",
        "directory",
        "runtime_directory",
        "current",
        "previous",
        "live_socket",
        "preview",
        "preview_socket",
        "protocol",
        "role",
        "upstream",
        "first_host",
        "selected",
        "stop_timeout",
    }
    assert resolved["source"]["kind"] == "git"
    assert resolved["source"]["version"] == "HEAD"
    assert resolved["live_socket"] == "/run/wsgi/shop/app.sock"


def test_a_mount_is_in_front_of_static_urls_and_of_the_health_check():
    (resolved,) = _resolve.resolve(
        [app(mount="/shop", static=[{"url": "/static/", "directory": "shop/static"}], health_check={"path": "/ping"})]
    )
    assert resolved["static"] == [
        {
            "url": "/shop/static/",
            "directory": "shop/static",
            "shared": None,
            "internal": False,
            "max_age": None,
            "immutable": False,
            "path": "/srv/wsgi/shop/current/build/source/shop/static",
            "previous": "/srv/wsgi/shop/previous/build/source/shop/static",
        }
    ]
    assert resolved["health_check"] == {"path": "/shop/ping", "status": [200], "timeout": 30}


def test_numbers_may_come_as_texts():
    assert _resolve.resolve([app(threads="8")])[0]["threads"] == 8


def test_a_relative_directory_begins_at_the_base_directory(tmp_path):
    (tmp_path / "code").mkdir()
    (resolved,) = _resolve.resolve([app(source={"directory": "code"})], base_directory=str(tmp_path))
    assert resolved["source"]["directory"] == str(tmp_path / "code")


def test_the_root_of_a_domain_is_beside_the_mounts():
    root, part = {"url": "/", "directory": "dist", "max_age": 60}, {"url": "/assets/", "directory": "dist/assets"}
    api, _blog = _resolve.resolve([app(mount="/api", static=[root, part]), app(name="blog", mount="/blog")])
    assert [(static["url"], static["max_age"]) for static in api["static"]] == [("/", "60"), ("/assets/", None)]


def test_only_published_directories_of_the_source_are_looked_for_in_the_release_before():
    places = [{"directory": "dist"}, {"directory": "dist", "internal": True}, {"shared": "media"}]
    (shop,) = _resolve.resolve([app(static=[{"url": f"/{number}/", **place} for number, place in enumerate(places)])])
    current, previous = (f"/srv/wsgi/shop/{release}/build/source/dist" for release in ("current", "previous"))
    assert [(static["path"], static["previous"]) for static in shop["static"]] == [
        (current, previous),
        (current, None),
        ("/srv/wsgi/shop/shared/media", None),
    ]


def test_files_for_tls_begin_at_the_base_directory():
    files = {"mode": "files", "certificate": "tls/shop.pem", "key": "/etc/shop.key"}
    (resolved,) = _resolve.resolve([app(tls=files)], base_directory="/inventory")
    assert (resolved["tls"]["certificate"], resolved["tls"]["key"]) == ("/inventory/tls/shop.pem", "/etc/shop.key")


@pytest.mark.parametrize(
    ("given", "settings", "expected"),
    [
        ({"tls": {"mode": "lets_encrypt"}}, {}, "app shop: tls.mode: 'lets_encrypt' is invalid; use one of none, self_signed,"),
        ({"tls": {"redirect": "maybe"}}, {}, "app shop: tls.redirect: 'maybe' is invalid; use true or false."),
        ({"tls": {"port": 0}}, {}, "app shop: tls.port: 0 is invalid; use a whole number from 1 to 65535."),
        ({"tls": {"mode": "files"}}, {}, "app shop: tls.certificate: missing"),
        (
            {"tls": {"mode": "certbot"}, "domains": ["*.a.test"]},
            {"certbot_options": []},
            "app shop: tls.mode: certbot is set for",
        ),
        ({"tls": {"mode": "self_signed", "port": 8080}}, {"http_ports": [80, 8080]}, "app shop: tls.port: port 8080"),
    ],
)
def test_tls_that_cannot_work(given, settings, expected):
    assert refusal(app(**given), **settings).startswith(expected)


@pytest.mark.parametrize("text", ["", "e30", "shop", "bm8gSlNPTg==", "/w=="], ids=["none", "cut off", "name", "no JSON", "bytes"])
def test_a_text_without_secrets_is_refused(text):
    with pytest.raises(_resolve.InventoryError, match=r"^secrets: not what the filter wsgi\.stack\.app_secrets returns"):
        _resolve.read_secrets(text)


def test_secrets_travel_apart():
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----"
    secretive = app(environment={"TOKEN": "s3cret", "DEBUG": 1}, build_environment={"PIP_INDEX_URL": "https://u:s3cret@x"})
    secretive["source"] = {"git": "git@git.example.com:shop.git", "deploy_key": key}
    assert "s3cret" not in str(_resolve.resolve([secretive]))
    assert "OPENSSH" not in str(_resolve.resolve([secretive]))
    assert _resolve.read_secrets(_resolve.secrets([secretive])) == {
        "shop": {
            "environment": {"TOKEN": "s3cret", "DEBUG": "1"},
            "build_environment": {"PIP_INDEX_URL": "https://u:s3cret@x"},
            "deploy_key": key + "\n",
            "files": {},
        }
    }


def test_a_file_on_the_controller_is_read_and_the_inventory_wins(tmp_path, monkeypatch):
    (tmp_path / "shop.env").write_text("TOKEN='it is $(s3cret)'\nDEBUG=0\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (str(tmp_path / "shop.env"), "~/shop.env"):
        found = app(environment_file=path, environment={"DEBUG": 1})
        assert "s3cret" not in str(_resolve.resolve([found]))
        assert _resolve.read_secrets(_resolve.secrets([found]))["shop"]["environment"] == {
            "TOKEN": "it is $(s3cret)",
            "DEBUG": "1",
        }


def test_a_file_of_the_source_is_not_looked_for_on_the_controller():
    found = app(environment_file="config//shop.env")
    assert _resolve.resolve([found])[0]["environment_file"] == "config/shop.env"
    assert _resolve.read_secrets(_resolve.secrets([found]))["shop"]["environment"] == {}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is not a file here, on the controller; correct the path."),
        (b"A=1\ns3cret", ", line 2: there is no '='; write NAME=VALUE; correct the file."),
        (b"$ANSIBLE_VAULT;1.1;AES256\n3061\n", "is encrypted by ansible-vault, which is not supported here;"),
    ],
)
def test_a_file_on_the_controller_that_is_none_is_refused(tmp_path, content, sentence):
    path = tmp_path / "shop.env"
    if content is not None:
        path.write_bytes(content)
    told = refusal(app(environment_file=str(path)))
    assert told.startswith(f"app shop: environment_file: {path}{'' if sentence.startswith(',') else ' '}{sentence}")
    assert "s3cret" not in told
    with pytest.raises(_resolve.InventoryError) as caught:
        _resolve.secrets([app(environment_file=str(path))])
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"proceses": 3}, "app shop: proceses: unknown key; did you mean processes?"),
        ({"health_check": {"pth": "/"}}, "app shop: health_check.pth: unknown key; did you mean path?"),
        ({"threads": "many"}, "app shop: threads: 'many' is invalid; use a whole number from 1 to 1024."),
        ({"threads": True}, "app shop: threads: True is invalid; use a whole number from 1 to 1024."),
        ({"processes": 0}, "app shop: processes: 0 is invalid; use a whole number from 1 to 1024."),
        ({"packages": "flask"}, "app shop: packages: 'flask' is invalid; use a list."),
        ({"entry_point": None}, "app shop: entry_point: not given, and there is no default; add it."),
        (
            {"entry_point": "shop.wsgi"},
            "app shop: entry_point: 'shop.wsgi' is invalid; use module:callable, such as shop.wsgi:application, shop:create",
        ),
        ({"stack": "mod_wsgi"}, "app shop: stack: 'mod_wsgi' is invalid; use one of uwsgi, uwsgi_emperor, gunicorn_supervisor."),
        ({"source": {}}, "app shop: source: nothing is given; use exactly one of git, directory and package."),
        (
            {"source": {"git": "a", "package": "b"}},
            "app shop: source: git and package are given; use exactly one of git, directory and package.",
        ),
        (
            {"source": {"package": "b", "version": "1"}},
            "app shop: source.version: only source.git has version, and this is source.package; remove it.",
        ),
        ({"source": {"directory": "/nowhere"}}, "app shop: source.directory: /nowhere is not a directory that can be read here"),
        ({"working_directory": "../x"}, "app shop: working_directory: '../x' is invalid; use a path inside the source"),
        ({"bind": "127.0.0.1:65536", "stack": "gunicorn_supervisor"}, "app shop: bind: '127.0.0.1:65536' is invalid; use"),
        ({"python": "-c"}, "app shop: python: '-c' is invalid; use the name of an interpreter, such as python3.12, or its"),
        ({"system_packages": ["sudo-"]}, "app shop: system_packages: ['sudo-'] is invalid; use a list, each a Debian package"),
        ({"client_max_body_size": "1" * 10}, "app shop: client_max_body_size: '1111111111' is invalid; use a size"),
        ({"mount": "/a/.."}, "app shop: mount: '/a/..' is invalid; use / or a URL prefix"),
        (
            {"static": [{"url": "/", "directory": "x"}]},
            "app shop: static.url: / is the root of the domain, where the app itself is; set mount to the URL prefix",
        ),
        (
            {"mount": "/api", "static": [{"url": "/", "directory": "x"}, {"url": "/api/", "directory": "x"}]},
            "app shop: static.url: /api/ is the app's own (mount); choose another url.",
        ),
        (
            {"static": [{"url": "/a/", "directory": "x", "immutable": True}]},
            "app shop: static.immutable: true needs a max_age",
        ),
        (
            {"mount": "/api", "static": [{"url": "/", "shared": "x", "internal": True}]},
            "app shop: static.internal: true hides files, and / is for a page that everybody sees; use another url.",
        ),
        ({"static": [{"url": "/a/", "directory": "x", "max_age": "1 year"}]}, "app shop: static.max_age: '1 year' is invalid;"),
        ({"static": [{"url": "/a/", "directory": "x", "max_age": True}]}, "app shop: static.max_age: True is invalid;"),
        ({"static": [{"url": "/./", "directory": "x"}]}, "app shop: static.url: '/./' is invalid; use a path"),
        (
            {"packages": ["a\0b"]},
            "app shop: packages: ['a\\x00b'] is invalid; use a list, each a text that is not empty, without",
        ),
        ({"release_commands": ["a\udcff"]}, "app shop: release_commands: ['a\\udcff'] is invalid; use a list"),
        ({"\x1b]0;": 1}, "app shop: '\\x1b]0;': unknown key; the keys are name"),
        ({"name": "a\x1b[2J"}, "app 'a\\x1b[2J': name: 'a\\x1b[2J' is invalid; use 1 to 31"),
        ({"mount": "shop"}, "app shop: mount: 'shop' is invalid; use / or a URL prefix"),
        ({"mount": "/shop/"}, "app shop: mount: '/shop/' is invalid; use / or a URL prefix"),
        (
            {"static": [{"url": "/static", "directory": "x"}]},
            "app shop: static.url: '/static' is invalid; use a path that begins and ends with a slash",
        ),
        (
            {"domains": ["Shop.example.com"]},
            "app shop: domains: ['Shop.example.com'] is invalid; use a list, each a domain name in lower case",
        ),
        (
            {"domains": ["müller.example"]},
            "app shop: domains: ['müller.example'] is invalid; use a list, each a domain name in ASCII (punycode), here xn--",
        ),
        (
            {"canonical_domain": "*.Müller.example"},
            "app shop: canonical_domain: '*.Müller.example' is invalid; use a domain name in ASCII (punycode), here *.xn--mller-",
        ),
        (  # another name in the rules of 2003, which Python has, than in those of browsers
            {"domains": ["straße.example"]},
            "app shop: domains: ['straße.example'] is invalid; use a list, each a domain name in ASCII (punycode), here the one",
        ),
        (
            {"domains": ["a..ü"]},
            "app shop: domains: ['a..ü'] is invalid; use a list, each a domain name in ASCII (punycode), here the one that",
        ),
        ({"domains": ["a.test", "a.test"]}, "app shop: domains: 'a.test' is listed twice; remove one."),
        (
            {"canonical_domain": "a.test"},
            "app shop: canonical_domain: 'a.test' is not one of domains (none); add it there.",
        ),
        ({"server_options": {"home": "x"}}, "app shop: server_options.home: the collection sets this option itself; remove it."),
        (
            {"server_options": {"include": "/etc/uwsgi/more.ini"}},
            "app shop: server_options.include: the options in a file cannot be checked before a release starts; write them into",
        ),
        (
            {"server_options": {"stats": "127.0.0.1:9191"}},
            "app shop: server_options.stats: it opens a socket, and a new release starts beside the running one, which has that",
        ),
        (
            {"stack": "gunicorn_supervisor", "server_options": {"control_socket": "/tmp/x"}},
            "app shop: server_options.control_socket: it opens a socket, and a new release starts beside the running one",
        ),
        (
            {"server_options": {"plugins": "gevent"}},
            "app shop: server_options.plugins: the collection sets this option itself; for another plugin than Python's, set",
        ),
        (
            {"environment": {"A B": "x"}},
            "app shop: environment: the value, which is not shown, is invalid; use a dictionary of variable names",
        ),
        (
            {"environment_file": "../shop.env"},
            "app shop: environment_file: '../shop.env' is invalid; use a path inside the source, relative and without '..', or",
        ),
        (
            {"environment_file": "shop.env", "source": {"package": "shop"}},
            "app shop: environment_file: 'shop.env' is a path inside the source, and source.package has no such files;",
        ),
        (
            {"environment_file": "web/shop.env", "static": [{"url": "/static/", "directory": "web"}]},
            "app shop: environment_file: 'web/shop.env' is inside the static directory web that nginx serves",
        ),
        (
            {"environment_file": "shop.env", "static": [{"url": "/static/", "directory": "."}]},
            "app shop: environment_file: 'shop.env' is inside the static directory . that nginx serves",
        ),
        (
            {"files": ["a"]},
            "app shop: files: the value, which is not shown, is invalid; use a dictionary of paths inside the source",
        ),
        (
            {"files": {"../a": {"content": "s3cret"}}},
            "app shop: files: the value, which is not shown, is invalid; use a dictionary",
        ),
        ({"files": {"a": {}}}, "app shop: files: the value, which is not shown, is invalid; use a dictionary of paths inside"),
        ({"files": {"a": {"contents": "s3cret"}}}, "app shop: files.'a'.contents: unknown key; did you mean content?"),
        ({"files": {"a": {"content": {}}}}, "app shop: files.'a'.content: the value, which is not shown, is invalid; use a text"),
        ({"files": {"a": {"src": "missing.j2"}}}, "app shop: files.a.src: "),
        (
            {"files": {"web/a": {"content": ""}}, "static": [{"url": "/static/", "directory": "web"}]},
            "app shop: files: 'web/a' is inside the static directory web that nginx serves",
        ),
        (
            {"files": {"media/a": {"content": ""}}, "shared_paths": ["media"]},
            "app shop: files: 'media/a' is inside media, one of shared_paths, which is no part of the build; move",
        ),
        ({"shared_paths": ["."]}, "app shop: shared_paths: '.' is the whole source; name directories in it."),
        ({"shared_paths": ["a/b", "a"]}, "app shop: shared_paths: 'a' and 'a/b' are one inside the other; remove one."),
        ({"shared_paths": ["a", "./a"]}, "app shop: shared_paths: 'a' and 'a' are one inside the other; remove one."),
        ({"shared_paths": ["/srv"]}, "app shop: shared_paths: ['/srv'] is invalid; use a list, each a path inside the source"),
        (
            {"shared_paths": ["web"], "working_directory": "web/app"},
            "app shop: shared_paths: 'web' has the working_directory in it, which is code; remove it.",
        ),
        (
            {"shared_paths": ["web/media"], "static": [{"url": "/x/", "directory": "web"}]},
            "app shop: shared_paths: 'web/media' and the static directory web are one inside the other; serve what is shared",
        ),
        (
            {"static": [{"url": "/x/", "directory": "web", "shared": "media"}]},
            "app shop: static: /x/ has both; use exactly one of directory and shared.",
        ),
        ({"static": [{"url": "/x/"}]}, "app shop: static: /x/ has neither of the two; use exactly one of directory and shared."),
        ({"static": [{"url": "/x/", "shared": "."}]}, "app shop: static.shared: /x/ would serve all data of the app; name"),
        ({"static": [{"url": "/x/", "shared": "../x"}]}, "app shop: static.shared: '../x' is invalid; use a path inside"),
        ({"name": "Shop"}, "app Shop: name: 'Shop' is invalid; use 1 to 31 lower-case letters"),
        ({"name": "wsgi-bind-shop"}, "app wsgi-bind-shop: name: wsgi-bind-shop begins like the users of wsgi.stack's own units;"),
        ({"name": "www-data"}, "app www-data: name: www-data is a user or group of the system"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(wrong, sentence):
    told = refusal(app(**wrong))
    assert told.startswith(sentence)
    assert "\n" not in told


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ({}, {}, "app shop: name: two apps have this name; rename one of them."),
        (
            {"name": "a", "domains": ["x.test"]},
            {"name": "b", "domains": ["x.test"]},
            "app b: mount: / on x.test is already used by app a; change the mount or the domains of one of them.",
        ),
        (
            {"name": "a"},
            {"name": "b"},
            "app b: mount: / on any domain is already used by app a; change the mount or the domains of one of them.",
        ),
        (
            {"name": "a", "static": [{"url": "/st/", "directory": "s"}]},
            {"name": "b", "mount": "/st/b"},
            "app b: mount: /st/b is inside the static URL /st/ of app a on any domain; change one of the two.",
        ),
        (
            {"name": "a", "domains": ["x.test", "y.test"], "canonical_domain": "x.test"},
            {"name": "b", "domains": ["y.test"], "mount": "/b"},
            "app b: canonical_domain: None differs from app a's x.test on the same domain y.test; set the same for both.",
        ),
        (
            {"name": "a", "mount": "/api", "static": [{"url": "/", "directory": "s"}]},
            {"name": "b"},
            "app b: mount: / is inside the static URL / of app a on any domain; change one of the two.",
        ),
        (
            {"name": "a", "static": [{"url": "/b/static/", "directory": "s"}]},
            {"name": "b", "mount": "/b", "static": [{"url": "/static/", "directory": "s"}]},
            "app b: static: the URL /b/static/ on any domain is already used by app a; change one of them.",
        ),
    ],
)
def test_two_apps_in_each_others_way_are_refused(first, second, sentence):
    assert refusal(app(**first), app(**second)) == sentence


def test_apps_share_a_domain_under_different_mounts():
    assert len(_resolve.resolve([app(name="a", domains=["x.test"]), app(name="b", domains=["x.test"], mount="/b")])) == 2


def test_a_socket_path_that_is_too_long_is_refused():
    told = refusal(app(name="a" * 31), runtime_directory="/run/" + "x" * 70)
    assert "has 118 bytes, and at most 102 are possible; shorten wsgi_runtime_directory or the app's name." in told
    fits = "/run/" + "x" * 51
    assert len(f"{fits}/{'a' * 31}/green.sock") == 99
    assert _resolve.resolve([app(name="a" * 31)], runtime_directory=fits)


SECRET = {"environment": {"SECRET_KEY": "s3cret"}}


@pytest.mark.parametrize(
    ("apps", "sentence"),
    [
        (None, "wsgi_apps: null is not a list of apps; begin each with '- name:'."),
        ({"name": "shop", **SECRET}, "wsgi_apps: a dictionary is not a list of apps; begin each with '- name:'."),
        ({"shop": SECRET}, "wsgi_apps: a dictionary is not a list of apps; begin each with '- name:'."),
        ("[{name: shop, files: s3cret}]", "wsgi_apps: a text is not a list of apps; begin each with '- name:'."),
        (["s3cret"], "the app at place 1 of wsgi_apps: a text is not a dictionary; use one with name, source and"),
        ([SHOP, [SECRET]], "the app at place 2 of wsgi_apps: a list is not a dictionary; use one with name, source and"),
    ],
)
def test_what_is_no_list_of_apps_is_refused_by_its_type(apps, sentence):
    with pytest.raises(_resolve.InventoryError) as caught:
        _resolve.resolve(apps)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"name": SECRET}, "the app at place 1 of wsgi_apps: name: a dictionary is invalid; use 1 to 31"),
        ({"domains": SECRET}, "app shop: domains: a dictionary is invalid; use a list."),
        ({"domains": [["a.test", SECRET]]}, "app shop: domains: [['a.test', a dictionary]] is invalid; use a list, each"),
        ({"source": '{"deploy_key": "s3cret"}'}, "app shop: source: the value, which is not shown, is invalid; use a"),
        ({"source": {"git": ["https://u:s3cret@a.test"]}}, "app shop: source.git: ['https://***@a.test'] is invalid; use a text"),
        ({"source": {"git": "-https://u:s3cret@a.test"}}, "app shop: source.git: '-https://***@a.test' is invalid; use the URL"),
        ({"tls": {"mode": "files", "key": "---\ns3cret\n"}}, "app shop: tls.key: a text of several lines is invalid; use a text"),
        ({"environment": {"A=s3cret": None}}, "app shop: environment: the value, which is not shown, is invalid; use a dict"),
        ({"files": {"/a:s3cret": None}}, "app shop: files: the value, which is not shown, is invalid; use a dictionary"),
        ({"files": {"a": {"TOKEN:s3cret": None}}}, "app shop: files.'a'.'TOKEN': unknown key; the keys are content, src."),
        ({"SECRET_KEY=s3cret": None}, "app shop: 'SECRET_KEY': unknown key; "),
    ],
)
def test_no_message_has_a_secret_that_stands_in_the_wrong_place(keys, sentence):
    found = refusal(app(**keys))
    assert found.startswith(sentence)
    assert "s3cret" not in found


def test_an_app_that_shall_be_absent_needs_a_name_only_and_is_in_nobodys_way():
    gone = [{"name": "old", "state": "absent"}, {"name": "former", "state": "absent", "source": {"directory": "/nowhere"}}]
    apps = [app(domains=["shop.example.com"]), *gone, app(name="blog", state="absent", domains=["shop.example.com"])]
    assert [resolved["name"] for resolved in _resolve.resolve(apps)] == ["shop"]
    assert list(_resolve.read_secrets(_resolve.secrets(apps))) == ["shop"]
    assert _resolve.absent(apps) == ["old", "former", "blog"]
    assert _resolve.absent([SHOP]) == []


@pytest.mark.parametrize(
    ("apps", "sentence"),
    [
        ([{"name": "shop", "state": "gone"}], "app shop: state: 'gone' is invalid; use one of present, absent."),
        ([{"name": "shop", "state": "present"}], "app shop: source: not given, and there is no default; add it."),
        ([{"name": "shop", "state": "absent", "sorce": {}}], "app shop: sorce: unknown key; did you mean source?"),
        ([{"state": "absent"}], "the app at place 1 of wsgi_apps: name: not given, and there is no default; add it."),
        ([SHOP, {"name": "shop", "state": "absent"}], "app shop: name: two apps have this name; rename one of them."),
        ([{"name": "www-data", "state": "absent"}], "app www-data: name: www-data is a user or group of the system"),
    ],
)
def test_a_wrong_state_is_refused(apps, sentence):
    assert refusal(*apps).startswith(sentence)
