"""Stack traces of Python, Java, .NET, Go, Node and Rust: which lines belong to one, and what it says."""

from __future__ import annotations

import re

# Lines that open a trace, or go on with one, although they are not indented.
_OPENS = re.compile(
    r"Traceback \(most recent call last\):|(?:  )?\+ Exception Group Traceback|Exception in thread \"?|panic: |"
    r"fatal error: |"
    r"goroutine \d+ (?:gp=\S+ )?.*\[|Unhandled exception|Uncaught |thread '[^']*' (?:\(\d+\) )?panicked at |"
    r"Caused by: |SIG[A-Z]{3,5}: |Fatal Python error: "
)
_LINKS = re.compile(
    r"During handling of the above exception, another exception occurred:|"
    r"The above exception was the direct cause of the following exception:|"
    r"Caused by: |Suppressed: |\.\.\. \d+ more|goroutine \d+ |created by |\[signal |exit status \d|note: run with |"
    r"stack backtrace:|Node\.js v\d|Traceback \(most recent call last\):|[\w/.*()-][\w/.*)-]*+\(.*\)$|"
    r"Thread 0x|Current thread "
)
# Names of exception classes as the last line of a Python trace or the first of a Java or Node one.
_NAMED = re.compile(
    r"((?:[A-Za-z_$][\w$]*\.)++[A-Za-z_$][\w$]*|[A-Z][\w$]*|[a-z]\w*(?:error|exception|exit))(?::(?: (.*))?|$)",
    re.DOTALL,
)
_CLASS = re.compile(
    r"(?:[A-Za-z_$][\w$]*\.)*(?:[A-Z][\w$]*(?:Error|Exception|Throwable|Warning|Interrupt|Exit|Fault|Timeout|Failure|Iteration)"
    r"|KeyboardInterrupt|StopIteration|SystemExit|OutOfMemory\w*|NotFound\w*)"
)
_HEADLINE = re.compile(rf"(?:Uncaught (?:exception: )?|Exception in thread \"[^\"]*\" )?({_CLASS.pattern})(?:: .*|:)?$")
_GO = re.compile(r"(?:panic|fatal error): (.*)")
_RUST = re.compile(r"thread '[^']*' (?:\(\d+\) )?panicked at (?:'(.*)', )?(.*)")
_FRAME = re.compile(r"\s+(?:at |File \"|\.\.\. \d+ (?:more|common frames))|\t\S+:\d+")
_MARK = "Traceback (most recent call last):"


def opens(line: str) -> bool:
    """Whether `line` can be the first of a stack trace."""
    return _OPENS.match(line) is not None or _HEADLINE.match(line) is not None


def is_frame(line: str) -> bool:
    """Whether `line` is an indented frame of some language's trace."""
    return _FRAME.match(line) is not None


def continues(line: str, last: str) -> bool:
    """Whether the unindented `line` goes on with a trace whose latest line is `last`."""
    if _LINKS.match(line):
        return True
    # Python ends a trace with the exception's name, right after an indented line.
    return last[:1].isspace() and _NAMED.match(line) is not None


def ends(line: str, last: str) -> bool:
    """Whether `line`, which continues a Python trace, is its last one."""
    return last[:1].isspace() and not line[:1].isspace() and _LINKS.match(line) is None


def holds_trace(text: str) -> bool:
    """Whether a text of several lines holds a stack trace."""
    return (
        _MARK in text
        or "\n\tat " in text
        or "\n    at " in text
        or "\n   at " in text
        or "goroutine " in text
        or "panicked at" in text
        or ("Exception Group Traceback" in text)
    )


def summary(text: str) -> tuple[str, str] | None:
    """Return class and message of the exception that the trace in `text` reports, or None when none is named."""
    lines = text.split("\n")
    if _MARK in text or "Exception Group Traceback" in text:
        return _python(lines)
    for line in lines:
        if found := _GO.match(line):
            return "panic", found[1]
        if found := _RUST.match(line):
            return "panic", found[1] or lines[min(lines.index(line) + 1, len(lines) - 1)]
        stripped = line.removeprefix("Caused by: ")
        if (found := _HEADLINE.match(stripped)) and (named := _NAMED.search(stripped, found.start(1))):
            return named[1], named[2] or ""
    return None


def _python(lines: list[str]) -> tuple[str, str] | None:
    """The exception is named after the last frames; its message may have several lines."""
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index].lstrip("|+ ") if "|" in lines[index] else lines[index]
        previous = lines[index - 1] if index else ""
        if line and not line[0].isspace() and (previous[:1].isspace() or previous.startswith(_MARK)):
            named = _NAMED.match(line)
            if named is None:
                continue
            rest = [named[2] or "", *lines[index + 1 :]]
            return named[1], "\n".join(rest).strip()
    return None
