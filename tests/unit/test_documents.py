# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands twice says the same: code, argument specifications, defaults, documentation, README.md and docs/."""

from __future__ import annotations

import ast
import fnmatch
import importlib
import inspect
import re
import textwrap
from pathlib import Path

import jsonschema
import pytest
import yaml

from ansible_collections.wsgi.stack.plugins.module_utils.apps import _resolve, _schema
from ansible_collections.wsgi.stack.plugins.plugin_utils import _settings
from ansible_collections.wsgi.stack.tests import docsite, documents

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
REFERENCE = ROOT / "docs/reference.md"
MODULES = sorted(ROOT.glob("plugins/modules/*.py"))
PLUGINS = sorted(path for kind in ("modules", "filter", "lookup") for path in ROOT.glob(f"plugins/{kind}/*.py"))

# The argument specification's word for what each kind of check in _values takes.
TYPES = {
    "files": "dict",
    "boolean": "bool",
    "command": "str",
    "dictionary": "dict",
    "domain": "str",
    "directives": "list",
    "integer": "int",
    "lines": "list",
    "list_of": "list",
    "quantity": "str",
    "one_of": "str",
    "options": "dict",
    "entry_point": "str",
    "path_inside": "str",
    "path_on_host": "str",
    "path_of_either": "str",
    "private_key": "str",
    "text": "str",
    "timers": "dict",
    "variables": "dict",
    "workers": "dict",
}


def name(path):
    return str(path.relative_to(ROOT))


def constants(path):
    """The texts that a plugin assigns to names, without importing it."""
    tree = ast.parse(path.read_text())
    assignments = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)]
    return {node.targets[0].id: node.value.value for node in assignments}


def documentation(path):
    """What a module or a filter says of itself, without its fragments."""
    return yaml.safe_load(constants(path)["DOCUMENTATION"])


def options_of(module):
    """The names of a module's options, also of those that its fragments describe."""
    names = set(documentation(module).get("options", {}))
    for fragment in documentation(module)["extends_documentation_fragment"]:
        file, _dot, section = fragment.removeprefix("wsgi.stack.").partition(".")
        found = importlib.import_module(f"ansible_collections.wsgi.stack.plugins.doc_fragments.{file}").ModuleDocFragment
        names |= set(yaml.safe_load(getattr(found, section.upper() or "DOCUMENTATION"))["options"])
    return names


def examples(path):
    """The YAML in a document or a plugin, parsed. What is templated becomes a text that passes for a key, too."""
    if path.suffix == ".py":
        found = [constants(path)["EXAMPLES"]]
    else:
        found = re.findall(r"^```yaml\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)
    return [yaml.safe_load(re.sub(r"\{\{.*?\}\}", "-----BEGIN OPENSSH PRIVATE KEY-----", example)) for example in found]


def dictionaries(node):
    """A dictionary and all that are in it, or in a list."""
    if isinstance(node, dict):
        yield node
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from dictionaries(item)


def lists_of_apps(path):
    for found in dictionaries(examples(path)):
        # GitHub's key `on` is true to YAML.
        yield from (value for key, value in found.items() if str(key).endswith("_apps") and isinstance(value, list))


def keys(node, above=""):
    """The keys of an app, as the table of docs/reference.md names them: ``source.git``, ``static[].url``."""
    for key, value in node.items():
        yield f"{above}{key}"
        if isinstance(value, dict) and key in ("source", "health_check", "tls"):
            yield from keys(value, f"{above}{key}.")
        for each in value if isinstance(value, list) else ():
            yield from keys(each, f"{above}{key}[].") if isinstance(each, dict) else ()


def described_as(check):
    """The type, elements and choices of what a check takes, and the keys of the dictionaries among that."""
    kind = check.__qualname__.partition(".")[0]
    inside = inspect.getclosurevars(check).nonlocals
    found = {"type": TYPES[kind]}
    schema = inside.get("schema")
    if kind in ("lines", "directives"):
        found["elements"] = "str"
    if kind == "list_of":
        element, schema = described_as(inside["element"])
        found["elements"] = element["type"]
    if kind == "one_of":
        found["choices"] = list(inside["choices"])
    return found, schema


def compare(schema, options, where):
    """An entry of _apps with its description in an argument specification, key by key, all the way down."""
    assert set(options) == set(schema), where
    for key, (check, default) in schema.items():
        option, place = options[key], f"{where}.{key}"
        expected, below = described_as(check)
        assert {part: option[part] for part in ("type", "elements", "choices") if part in option} == expected, place
        assert option.get("required", False) == (default is _schema.REQUIRED), place
        assert option.get("default") == (None if default is _schema.REQUIRED else default), place
        assert option["description"], place
        compare(below or {}, option.get("options", {}), place)


def test_the_keys_of_an_app_are_described_as_they_are_checked():
    compare(_resolve.APP, documents.options("app")["app_apps"]["options"], "app_apps")


@pytest.mark.parametrize("role", documents.ROLES)
def test_a_roles_defaults_agree_with_its_argument_specification(role):
    options, defaults = documents.options(role), documents.defaults(role)
    assert set(options) == set(defaults)
    for option, default in defaults.items():
        assert option.startswith(f"{role}_")
        assert options[option]["description"]
        if not (isinstance(default, str) and "{{" in default):
            assert options[option]["default"] == default, option
        elif setting := re.search(r"lookup\('wsgi\.stack\.settings'\)\.(\w+)", default):
            assert options[option]["default"] == _settings.SHARED[f"wsgi_{setting[1]}"], option
    for option, default in _settings.OF_ROLES.items():
        assert defaults.get(option, default) == default


def test_every_table_is_up_to_date_and_in_one_document():
    texts = [path.read_text() for path in documents.DOCUMENTS]
    assert sorted(documents.tables()) == sorted(re.findall(r"<!-- table: (\w+) -->", "".join(texts)))
    assert [documents.rewritten(text) for text in texts] == texts, "run 'python3 tests/documents.py'"


def test_the_schema_for_editors_is_up_to_date():
    made = documents.editor_schema()
    jsonschema.Draft7Validator.check_schema(made)
    assert documents.SCHEMA.read_text() == documents.written(made), "run 'python3 tests/documents.py'"


def wrong_in_an_editor(content):
    """The keys that an editor underlines."""
    errors = jsonschema.Draft7Validator(documents.editor_schema()).iter_errors(content)
    deepest = (jsonschema.exceptions.best_match([error]) for error in errors)
    return ["/".join(map(str, error.absolute_path)) for error in deepest]


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=name)
def test_an_editor_accepts_every_example(path):
    assert [wrong_in_an_editor(example) for example in examples(path) if wrong_in_an_editor(example)] == []


SHOP = {"name": "shop", "source": {"git": "shop.git"}, "entry_point": "shop:app"}


@pytest.mark.parametrize(
    "app",
    [
        {**SHOP, "processes": "{{ ansible_facts.processor_vcpus }}", "tls": "{{ tls }}", "static": ["{{ static }}"]},
        {"name": "shop", "state": "absent"},
    ],
)
def test_an_editor_accepts_templates_and_apps_that_are_removed(app):
    assert wrong_in_an_editor({"wsgi_apps": [app], "other": 3}) == []


def test_an_editor_accepts_a_quantity_without_a_unit():
    app = {**SHOP, "client_max_body_size": 0, "static": [{"url": "/static/", "directory": "static", "max_age": 60}]}
    assert wrong_in_an_editor({"wsgi_apps": [app]}) == []


@pytest.mark.parametrize(
    ("app", "where"),
    [
        ({**SHOP, "proceses": 3}, ""),
        ({"name": "shop"}, ""),
        ({**SHOP, "threads": "many"}, "/threads"),
        ({**SHOP, "stack": "apache"}, "/stack"),
        ({**SHOP, "tls": {"mode": "cerbot"}}, "/tls/mode"),
        ({**SHOP, "static": [{"directory": "static"}]}, "/static/0"),
    ],
)
def test_an_editor_shows_a_mistake(app, where):
    apps = {"wsgi_apps": [app]}
    assert wrong_in_an_editor(apps) == [f"wsgi_apps/0{where}"]
    assert wrong_in_an_editor({"web": {"vars": apps}}) == [f"web/vars/wsgi_apps/0{where}"]
    assert wrong_in_an_editor([{"hosts": "web", "vars": apps}]) == [f"0/vars/wsgi_apps/0{where}"]


def test_the_reference_lists_the_shared_variables_with_their_defaults():
    wanted = {
        name: str(default).lower() if isinstance(default, (bool, list)) else default for name, default in _settings.SHARED.items()
    }
    listed = re.findall(r"^\| `(wsgi_\w+)` \| (?:`(.*?)`)? ?\|", REFERENCE.read_text(), re.MULTILINE)
    assert dict(listed) == {"wsgi_apps": "", "wsgi_hosts": "wsgi", "wsgi_environment": "{}", **wanted}


def test_a_shared_default_is_in_the_settings_alone():
    for path in [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/*/*/*.*")]:
        # The hosts of a play are chosen before there is a host that a lookup could serve, and the environment is made before the
        # first task, which says in one sentence what is wrong with the settings.
        again = re.findall(r"(?<!hosts: \"\{\{ )(?<!environment: \"\{\{ )\bwsgi_\w+ \| default", path.read_text())
        assert again == [], path


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=name)
def test_the_apps_of_an_example_can_be_resolved(path, tmp_path):
    base = tmp_path / "inventory/group_vars"
    for apps in lists_of_apps(path):
        for app in apps:
            (base / app.get("source", {}).get("directory", "")).mkdir(parents=True, exist_ok=True)
            for file in app.get("files", {}).values():
                if "src" in file:
                    (base / file["src"]).parent.mkdir(exist_ok=True)
                    (base / file["src"]).touch()
        _resolve.resolve(apps, base_directory=str(base))


@pytest.mark.parametrize("path", sorted(ROOT.glob("inventories/examples/*/inventory.yml")), ids=name)
def test_an_example_is_documented_as_it_is(path):
    text = path.read_text()
    entry = textwrap.dedent(text[text.index("    wsgi_apps:\n") :])
    assert f"```yaml\n{entry}```\n" in (ROOT / "docs/applications.md").read_text()
    _resolve.resolve(yaml.safe_load(entry)["wsgi_apps"], base_directory=str(path.parent))


def test_the_example_of_the_reference_shows_every_key():
    shown = {key for apps in lists_of_apps(REFERENCE) for app in apps for key in keys(app)}
    rows = documents.tables()["apps"].splitlines()[2:]
    assert shown == {row.split("`")[1] for row in rows}


@pytest.mark.parametrize("path", [*documents.DOCUMENTS, *PLUGINS], ids=name)
def test_an_example_uses_what_there_is(path):
    for found in dictionaries(examples(path)):
        for key, value in found.items():
            if str(key).startswith("wsgi.stack."):
                module = ROOT / f"plugins/modules/{key.removeprefix('wsgi.stack.')}.py"
                assert set(value or ()) <= options_of(module), key
            if str(key).endswith("include_role"):
                assert value["name"].removeprefix("wsgi.stack.") in documents.ROLES
        for variable in found.get("vars") or ():
            role, _underscore, rest = variable.partition("_")
            assert not rest or role not in documents.ROLES or variable in documents.options(role)


@pytest.mark.parametrize("path", PLUGINS, ids=name)
def test_a_plugin_is_documented(path):
    assert documentation(path)["module" if path.parent.name == "modules" else "name"] == path.stem
    assert yaml.safe_load(constants(path)["EXAMPLES"])
    assert yaml.safe_load(constants(path)["RETURN"])
    assert f"`{path.stem}`" in (ROOT / "docs/inclusion.md").read_text()


def test_an_action_has_a_module_that_documents_it():
    modules = {path.stem for path in ROOT.glob("plugins/modules/*.py")}
    assert modules >= {path.stem for path in ROOT.glob("plugins/action/*.py")}


def test_modules_describe_check_mode_diff_mode_and_platform_alike():
    kinds = {"wsgi.stack.attributes", "wsgi.stack.attributes.reader"}
    assert [path.stem for path in MODULES if len(kinds & set(documentation(path)["extends_documentation_fragment"])) != 1] == []


def test_a_module_that_needs_root_documents_and_checks_it():
    documented = {
        path.stem for path in MODULES if "wsgi.stack.attributes.root" in documentation(path)["extends_documentation_fragment"]
    }
    see_less_without = {"doctor_info", "site_probe_info", "socket_access_info"}
    on_controller = {"failures", "preconditions", "summary"}
    assert documented == {path.stem for path in MODULES} - see_less_without - on_controller
    steps = {
        path.stem: importlib.import_module(f"ansible_collections.wsgi.stack.plugins.modules.{path.stem}") for path in MODULES
    }
    checked = {name for name, module in steps.items() if hasattr(module, "STEP") and module.STEP.needs_root}
    checked |= {path.stem for path in MODULES if "\n    require_root(module)\n" in path.read_text()}
    assert checked == documented - {"packages"}  # which is all action plugin, on top of apt


def test_every_step_that_can_fail_is_explained():
    sources = ROOT.glob("plugins/**/*.py")
    raising = r'(?:StackError|super\(\)\.__init__|_unusable|_shell\.execute)\(\s*"(\w+)"(?!, timeout=)'
    steps = {step for path in sources for step in re.findall(raising, path.read_text())}
    explained = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/troubleshooting.md").read_text(), re.MULTILINE)
    of_hosts = {"config_tree", "firewall", "inventory", "uninstall"}  # they end a module, and are no failure of an app
    assert set(explained) == (steps | {"nginx"}) - of_hosts  # the tree of nginx is called so


def anchors(path):
    """The anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shipped(path):
    """Whether a file is in the archive that Galaxy gives out."""
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    inside = path.relative_to(ROOT)
    return not any(fnmatch.fnmatch(str(part), pattern) for part in (inside, *inside.parents) for pattern in ignored)


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=name)
def test_a_link_leads_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in link:
            continue
        target, _hash, anchor = link.partition("#")
        there = path.parent / target if target else path
        assert there.exists(), link
        assert shipped(there.resolve()), link
        assert not anchor or anchor in anchors(there), link


def test_the_site_leads_to_the_repository_for_what_is_no_page_of_it():
    text = "[a](uwsgi.md#b) [c](../README.md#d) [e](../inventories/examples) [f](#g) [h](https://a.test/)"
    repository = docsite.REPOSITORY
    assert docsite.linked(text, "docs/tls.md", {"README.md", "docs/uwsgi.md"}) == (
        f"[a](uwsgi.md#b) [c](../index.md#d) [e]({repository}/tree/main/inventories/examples) [f](#g) [h](https://a.test/)"
    )


def test_the_site_has_every_document_in_its_navigation():
    pages = docsite.documents()
    listed = [line for line in docsite.navigation(pages).splitlines() if line in pages]
    assert sorted([*listed, "README.md"]) == sorted(pages)


def test_the_readme_is_short_and_leads_to_every_page():
    text = README.read_text()
    assert len(text.splitlines()) <= 150
    assert sorted(set(re.findall(r"\]\((docs/[^)#]+\.md)", text))) == sorted(name(path) for path in ROOT.glob("docs/*.md"))


SOURCES = [
    "plugins/**/*.py",
    "roles/**/*.yml",
    "roles/**/*.j2",
    "playbooks/**/*.yml",
    "meta/*.yml",
    "tests/**/*.py",
    "molecule/**/*.yml",
]
LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
OUTPUT = ROOT / "tests/output"  # of ansible-test, which makes its virtual environments there


def test_the_unit_tests_have_the_same_tools_under_ansible_test():
    tools = set((ROOT / "requirements-dev.txt").read_text().splitlines())
    assert set((ROOT / "tests/unit/requirements.txt").read_text().splitlines()) <= tools


def test_every_util_says_that_it_is_private():
    utils = [*ROOT.glob("plugins/module_utils/**/*.py"), *ROOT.glob("plugins/plugin_utils/**/*.py")]
    private = "# Private to this collection, and may change in any release."
    assert [name(path) for path in utils if path.read_text() and path.read_text().splitlines()[1] != private] == []


def test_every_source_file_names_its_licence():
    files = {path for pattern in SOURCES for path in ROOT.glob(pattern) if OUTPUT not in path.parents and path.read_text()}
    assert len(files) > 200  # the patterns still find them
    without = [path for path in files if LICENCE not in "".join(path.read_text().splitlines()[:4])]
    assert sorted(map(name, without)) == []
