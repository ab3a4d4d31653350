"""Asking one query after the other on a terminal, with completion by the tabulator key and a history of the session."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from treering.cli._screen import safe
from treering.core.errors import TreeringError

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.cli._connection import Client

PROMPT = "treering> "
_BREAKS = " \t\n|,()[]='\"`"


class Completer:
    """Completes as readline asks it to: `complete(word, state)` gives the suggestion number `state`, or None."""

    def __init__(self, client: Client, line: Callable[[], tuple[str, int]]) -> None:
        """Ask `client` about the text and cursor that `line` returns."""
        self._client = client
        self._line = line
        self._found: list[str] = []

    def complete(self, word: str, state: int) -> str | None:
        """Return what may stand in the place of `word`."""
        if state == 0:
            self._found = self._suggestions(word)
        return self._found[state] if state < len(self._found) else None

    def _suggestions(self, word: str) -> list[str]:
        text, cursor = self._line()
        try:
            answer: dict[str, Any] = self._client.post("/api/complete", {"query": text, "cursor": cursor})
        except TreeringError:
            return []
        # Readline replaces only the word it sees, which may begin later than what the answer replaces.
        skipped = max(0, cursor - len(word) - int(answer["from"]))
        texts = [str(each["text"])[skipped:] for each in answer["suggestions"]]
        # Values come from logs: what would steer the terminal is not offered.
        return [text for text in texts if text.lower().startswith(word.lower()) and safe(text) == text]


def ask(client: Client, answer: Callable[[str], None], complain: Callable[[TreeringError], object]) -> None:
    """Read queries until the end of the input, and hand each to `answer`; its mistakes go to `complain`."""
    _prepared(client)
    while True:
        try:
            text = input(PROMPT).strip()
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            continue
        except EOFError:
            sys.stdout.write("\n")
            return
        if text in {"exit", "quit"}:
            return
        try:
            if text:
                answer(text)
        except TreeringError as error:
            complain(error)


def _prepared(client: Client) -> None:
    try:
        import readline
    except ImportError:  # Windows: typing works, completion does not
        return
    completer = Completer(client, lambda: (readline.get_line_buffer(), readline.get_endidx()))
    readline.set_completer(completer.complete)
    readline.set_completer_delims(_BREAKS)
    readline.parse_and_bind("tab: complete")
