"""The examples in docs/ppl.md run and say what they say."""

from __future__ import annotations

import re
from pathlib import Path

from treering import query as ppl

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ppl.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_python_example_prints_its_comment(capsys) -> None:
    (source,) = [body for kind, body in BLOCK.findall(PAGE.read_text(encoding="utf8")) if kind == "python"]
    exec(compile(source, str(PAGE), "exec"), {})
    assert capsys.readouterr().out.strip() == source.rsplit("# ", 1)[1].strip()


def test_the_example_query_is_one() -> None:
    (text,) = [body for kind, body in BLOCK.findall(PAGE.read_text(encoding="utf8")) if not kind]
    assert len(ppl.parse(text).commands) == 4


def test_every_command_is_on_the_page() -> None:
    from treering.query.parser import commands

    page = PAGE.read_text(encoding="utf8")
    assert [name for name in commands() if f"`{name}" not in page and name not in {"search", "index"}] == []
