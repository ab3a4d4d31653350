"""The Model Context Protocol: a call of a tool is a tool's execution, whether or not the sender says so as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content

if TYPE_CHECKING:
    from treering.parse.genai.facts import Facts

NAME = "mcp"


def derive(facts: Facts) -> dict[str, Any]:
    """Return the operation and the tool of a call; other methods have neither."""
    if facts.get("mcp.method.name") != "tools/call":
        return {}
    named = facts.name.partition(" ")[2] if facts.name.startswith("tools/call ") else None
    arguments = facts.get("mcp.tool.arguments", "mcp.request.argument")
    if arguments is not None and not isinstance(arguments, str):
        arguments = content.text(arguments)
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": facts.get("mcp.tool.name") or named,
        "gen_ai.tool.call.arguments": arguments
        if arguments is None or isinstance(arguments, str)
        else content.text(arguments),
    }
