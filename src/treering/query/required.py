"""What a text must contain for a regular expression to be found in it: runs of characters it cannot do without."""

from __future__ import annotations

import re

_BREAKS = frozenset("dDwWsSbBAZztnrfe")
_FLAGS = re.compile(r"\?[imsu]+\)")
_GROUP = re.compile(r"\?:|\?P?<[A-Za-z]\w*>")
_REPEAT = re.compile(r"[*?]|\+|\{(\d*)(?:,\d*)?\}")
_DEPTH = 20


class _Unknown(Exception):  # noqa: N818  nothing is wrong
    """The pattern has what is not looked through here."""


def required(pattern: str, digits: str = "") -> list[list[str]]:
    """Return the branches of a pattern, each as the runs of characters that a match of it contains in this order.

    Case is as written, also where the pattern minds none. A branch without any run may match anything; so may what
    cannot be looked through, which is one such branch. The character `digits`, if one is given, stands in a run for one
    or more ASCII digits (`\\d+`); without it, and in a pattern that has that character, they end the run.
    """
    try:
        return _Reader(pattern, "" if digits in pattern else digits).branches(0)
    except (_Unknown, IndexError):
        return [[]]


def literal(pattern: str) -> str:
    """Return the longest run of characters that every match contains as it is written, or an empty text."""
    if "(?" in pattern:  # it may say that case does not matter
        return ""
    branches = required(pattern)
    return max(branches[0], key=len, default="") if len(branches) == 1 else ""


class _Reader:
    def __init__(self, pattern: str, digits: str) -> None:
        self.pattern = pattern
        self.digits = digits
        self.at = 0

    def branches(self, depth: int) -> list[list[str]]:
        """Take alternatives up to the end or a closing parenthesis."""
        if depth > _DEPTH:
            raise _Unknown
        found: list[list[str]] = [[]]
        run = ""
        while self.at < len(self.pattern) and self.pattern[self.at] != ")":
            if self.pattern[self.at] == "|":
                self.at += 1
                found[-1] += [run] if run else []
                found.append([])
                run = ""
                continue
            literal, inside = self.item(depth)
            least = self.repeats()
            if literal and least != 0:
                run += literal
            if not literal or (least is not None and (literal != self.digits or least == 0)):
                found[-1] += [run] if run else []
                run = ""
            if least != 0:
                found[-1] += inside
        found[-1] += [run] if run else []
        return found

    def item(self, depth: int) -> tuple[str, list[str]]:
        """Take a character, class or group; returns the character it stands for and the runs inside a group."""
        character = self.pattern[self.at]
        self.at += 1
        if character == "(":
            return "", self.group(depth)
        if character == "[":
            begin = self.at
            self.skip_class()
            return self.digits if self.pattern[begin : self.at] == "0-9]" else "", []
        if character == "\\":
            return self.escaped(), []
        return "" if character in ".^$" else character, []

    def group(self, depth: int) -> list[str]:
        """Take a group; returns what it cannot do without: nothing where it has alternatives or looks around."""
        if flags := _FLAGS.match(self.pattern, self.at):
            self.at = flags.end()
            return []
        plain = self.pattern[self.at] != "?"
        if opened := _GROUP.match(self.pattern, self.at):
            self.at = opened.end()
            plain = True
        inner = self.branches(depth + 1)
        if self.pattern[self.at] != ")":
            raise _Unknown
        self.at += 1
        return inner[0] if plain and len(inner) == 1 else []

    def skip_class(self) -> None:
        if self.pattern[self.at] == "^":
            self.at += 1
        if self.pattern[self.at] == "]":
            self.at += 1
        while self.pattern[self.at] != "]":
            if self.pattern[self.at] in "[&":  # Java's unions and intersections, POSIX names
                raise _Unknown
            self.at += 2 if self.pattern[self.at] == "\\" else 1
        self.at += 1

    def escaped(self) -> str:
        following = self.pattern[self.at]
        self.at += 1
        if following in _BREAKS:
            return self.digits if following == "d" else ""
        if following.isalnum():
            raise _Unknown
        return following

    def repeats(self) -> int | None:
        """Take what says how often; returns the least number, None where it is once."""
        found = _REPEAT.match(self.pattern, self.at)
        if found is None:
            return None
        self.at = found.end()
        if self.pattern[self.at : self.at + 1] in ("?", "+"):  # reluctant, possessive
            self.at += 1
        if found[0] in "*?":
            return 0
        return int(found[1] or 0) if found[0].startswith("{") else 1
