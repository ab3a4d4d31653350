"""Severities: the levels of all dialects as OpenTelemetry severity numbers.

Numbers follow the OpenTelemetry log data model, appendix B: TRACE 1, DEBUG 5, INFO 9, WARN 13, ERROR 17, FATAL 21,
with syslog's notice 10, critical 18 and alert 19 between them.
"""

from __future__ import annotations

TRACE, DEBUG, INFO, NOTICE, WARN, ERROR, CRITICAL, ALERT, FATAL = 1, 5, 9, 10, 13, 17, 18, 19, 21

_WORDS = {
    TRACE: "trace trc tra verbose finest silly all v trace1",
    2: "finer trace2",
    3: "trace3",
    4: "trace4",
    DEBUG: "debug dbg debu fine d debug1",
    6: "debug2",
    7: "config conf debug3",
    8: "debug4 debug5",
    INFO: "info inf information informational i log statement hint detail success dft default info1 context",
    NOTICE: "notice note ntc n info2",
    11: "info3",
    12: "info4",
    WARN: "warn warning wrn w warni warn1 attention",
    14: "warn2",
    15: "warn3",
    16: "warn4",
    ERROR: "error err eror e erro severe fail failure failed fehler error1",
    CRITICAL: "crit crt dpanic error2",
    ALERT: "alert error3",
    20: "error4",
    FATAL: "fatal ftl critical c f emerg emergency panic a fatal1 assert off",
    22: "fatal2",
    23: "fatal3",
    24: "fatal4",
}
BY_NAME: dict[str, int] = {word: number for number, words in _WORDS.items() for word in words.split()}
_SYSLOG = (FATAL, ALERT, CRITICAL, ERROR, WARN, NOTICE, INFO, DEBUG)
SYSLOG_NAMES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_SHORT = {TRACE: "TRACE", DEBUG: "DEBUG", INFO: "INFO", WARN: "WARN", ERROR: "ERROR", FATAL: "FATAL"}

# Spellings with their own case, resolved once; loggers use few of them.
_known: dict[str, int | None] = {}


def severity_number(text: str) -> int | None:
    """Return the OpenTelemetry number (1 to 24) of a level in any dialect, or None when it is not a level."""
    if text in _known:
        return _known[text]
    word = text.strip().strip("[]<>()").lower()
    number = BY_NAME.get(word)
    if len(text) <= 16 and len(_known) < 1024:
        _known[text] = number
    return number


def from_number(level: float) -> tuple[str, int] | None:
    """Return name and number of a numeric level: syslog and GELF 0 to 7, Bunyan, pino and Python 10 to 60.

    Numbers between two levels belong to the lower one. None when the number is no level.
    """
    if isinstance(level, bool):
        return None
    if 0 <= level <= 7 and level == int(level):
        return SYSLOG_NAMES[int(level)], _SYSLOG[int(level)]
    if 10 <= level < 70:
        number = (TRACE, DEBUG, INFO, WARN, ERROR, FATAL)[min(int(level) // 10, 6) - 1]
        return _SHORT[number], number
    return None


def from_python(level: float) -> tuple[str, int] | None:
    """Return name and number of a level of Python's `logging`: 10 is DEBUG there, 5 is below it."""
    if isinstance(level, bool) or not 0 < level <= 60:
        return None
    number = (TRACE, DEBUG, INFO, WARN, ERROR, FATAL)[min(int(level) // 10, 5)]
    return _SHORT[number], number


def from_syslog(severity: int) -> int:
    """Return the number of a syslog severity (RFC 5424 section 6.2.1), 0 emergency to 7 debug."""
    return _SYSLOG[severity]


def from_status(status: int) -> int:
    """Return the number that an HTTP status suggests where the server states no level."""
    return ERROR if status >= 500 else WARN if status >= 400 else INFO
