"""If it exists it is documented, and what the documents show runs."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.server import ENVIRONMENT
from treering.api.routes import OPERATIONS
from treering.app import alert_settings, config
from treering.cli import COMMANDS
from treering.core import access, registry

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(kind: str) -> list[tuple[Path, str]]:
    found = [(page, block) for page in PAGES for block in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    return [(page, body) for page, (language, body) in found if language == kind]


def names(found: list[tuple[Path, str]]) -> list[str]:
    return [f"{page.stem}-{number}" for number, (page, _) in enumerate(found)]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_heading(command: str) -> None:
    assert f"## treering {command}\n" in text("docs/cli.md")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_named(command: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "treering", command, "--help"],
        check=False,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    options = set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help", "--conventional-ports"}
    page = text("docs/cli.md")
    assert [option for option in sorted(options) if f"{option}" not in page] == []


@pytest.mark.parametrize(
    "kind",
    [
        config.Settings,
        config.Listen,
        config.Limits,
        config.Follow,
        config.Incidents,
        config.Detect,
        config.Prices,
        config.Rules,
        config.Masking,
        access.Token,
    ],
)
def test_every_setting_is_documented(kind: type[msgspec.Struct]) -> None:
    page = text("docs/configuration.md")
    missing = [
        field.name
        for field in msgspec.structs.fields(kind)
        if f"| `{field.name}` |" not in page and f"`[{field.name}]`" not in page and f"`[[{field.name}]]`" not in page
    ]
    assert missing == []


@pytest.mark.parametrize(
    "kind", [alert_settings.Alerts, alert_settings.Rule, alert_settings.Route, alert_settings.Silence]
)
def test_every_setting_of_alerts_is_documented(kind: type[msgspec.Struct]) -> None:
    page = text("docs/alerts.md")
    assert [name for name in kind.__struct_encode_fields__ if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", registry.names("treering.alert"))
def test_every_notifier_and_its_settings_are_documented(name: str) -> None:
    (line,) = (line for line in text("docs/alerts.md").splitlines() if line.startswith(f"| `{name}` |"))
    fields = {field.name for field in msgspec.structs.fields(registry.load("treering.alert", name).Config)}
    assert [field for field in sorted(fields - {"timeout_s", "page"}) if f"`{field}`" not in line] == []


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in OPERATIONS])
def test_every_operation_is_documented(method: str, path: str) -> None:
    page = text("docs/api.md").replace("{traceId}", "{trace_id}")
    assert f"{method} {path}" in page or f"`{path}`" in page


@pytest.mark.parametrize(
    "group",
    ["treering.query.commands", "treering.receive", "treering.store", "treering.alert", "treering.detect"],
)
def test_every_component_says_what_it_is(group: str) -> None:
    for name in registry.names(group):
        assert (registry.load(group, name).__doc__ or "").strip(), name


@pytest.mark.parametrize("name", registry.names("treering.detect"))
def test_every_detector_is_documented(name: str) -> None:
    headings = [line for line in text("docs/detectors.md").splitlines() if line.startswith("## ")]
    assert any(name in line[3:].replace(",", " ").split() for line in headings), name


@pytest.mark.parametrize(("page", "body"), blocks("python"), ids=names(blocks("python")))
def test_python_examples_parse(page: Path, body: str) -> None:
    ast.parse(body)


@pytest.mark.parametrize(("page", "body"), blocks("toml"), ids=names(blocks("toml")))
def test_configuration_examples_are_accepted(page: Path, body: str, tmp_path: Path) -> None:
    path = tmp_path / "treering.toml"
    path.write_text(body, encoding="utf-8")
    assert config.load(path)


_SHELL = [
    (page, body)
    for page, body in blocks("sh")
    if page.name in {"cli.md", "files.md", "getting-started.md"} and "make " not in body
]


@pytest.mark.parametrize(("page", "body"), _SHELL, ids=names(_SHELL))
def test_shell_examples_run(page: Path, body: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "treering"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m treering "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    environment = {**ENVIRONMENT, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-e"],
        check=False,
        input=body,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


_LINKED = ("cli.md", "files.md", "configuration.md", "getting-started.md", "api.md", "detectors.md", "incidents.md")


@pytest.mark.parametrize("page", [ROOT / "docs" / name for name in _LINKED], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    written_elsewhere = {"opensearch.md", "parsers.md"}
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists() or target in written_elsewhere, target
