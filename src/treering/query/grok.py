"""Grok: regular expressions made of named ones, `%{WORD:verb}`, as Logstash's 1.4 pattern set names them.

`%{NAME}` captures under its own name, `%{NAME:field}` under another, `%{NAME=regex}` defines one on the spot. A
pattern is searched in the text and need not match all of it.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from treering.core.errors import UserError
from treering.query import regexes

_REFERENCE = re.compile(r"%\{(?P<pattern>[A-Za-z0-9_]+)(?::(?P<field>[\w:;,\-/\s.']+))?(?:=(?P<definition>[^{}]+))?\}")
# What a definition uses without capturing it is named so.
_QUIET = "UNWANTED"
MAX_REFERENCES, MAX_LENGTH = 1000, 100_000
_OCTET = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2})"
_LABEL = "[0-9A-Za-z][0-9A-Za-z-]{0,62}"
_HEX = "[0-9A-Fa-f]{1,4}"


def _months() -> str:
    names = "January February March April May June July August September October November December".split()
    return r"\b(?:" + "|".join(f"{name[:3]}(?:{name[3:]})?" if name[3:] else name for name in names) + r")\b"


def _days() -> str:
    names = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
    return "(?:" + "|".join(f"{name[:3]}(?:{name[3:]})?" for name in names) + ")"


def _ipv6() -> str:
    """Full and shortened forms (RFC 4291, section 2.2), with a zone."""
    full = f"(?:{_HEX}:){{7}}{_HEX}"
    mixed = rf"(?:{_HEX}:){{6}}{_OCTET}(?:\.{_OCTET}){{3}}"
    short = [rf"(?:{_HEX}:){{1,{head}}}(?::{_HEX}){{1,{7 - head}}}" for head in range(6, 0, -1)]
    tail = rf"(?:{_HEX}:){{0,5}}:(?:{_HEX}:){{0,4}}{_OCTET}(?:\.{_OCTET}){{3}}"
    rest = [rf":(?::{_HEX}){{1,7}}", f"(?:{_HEX}:){{1,7}}:", "::"]
    return f"(?:{'|'.join([full, mixed, tail, *short, *rest])})(?:%\\w+)?"


def _quoted() -> str:
    return "(?<!\\\\)(?:" + "|".join(rf"{mark}(?:\\.|[^\\{mark}])*{mark}" for mark in "\"'`") + ")"


_TEXT = r"""
USERNAME [\w.-]+
USER %{USERNAME:UNWANTED}
INT [+-]?[0-9]+
BASE10NUM (?<![0-9.+-])(?>[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))
NUMBER %{BASE10NUM:UNWANTED}
BASE16NUM (?<![0-9A-Fa-f])[+-]?(?:0x)?[0-9A-Fa-f]+
BASE16FLOAT \b(?<![0-9A-Fa-f.])[+-]?(?:0x)?(?:[0-9A-Fa-f]+(?:\.[0-9A-Fa-f]*)?|\.[0-9A-Fa-f]+)\b
POSINT \b[1-9][0-9]*\b
NONNEGINT \b[0-9]+\b
WORD \b\w+\b
NOTSPACE \S+
SPACE \s*
DATA .*?
GREEDYDATA .*
QS %{QUOTEDSTRING:UNWANTED}
UUID [A-Fa-f0-9]{8}(?:-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}
MAC (?:%{CISCOMAC:UNWANTED}|%{WINDOWSMAC:UNWANTED}|%{COMMONMAC:UNWANTED})
CISCOMAC [A-Fa-f0-9]{4}(?:\.[A-Fa-f0-9]{4}){2}
WINDOWSMAC [A-Fa-f0-9]{2}(?:-[A-Fa-f0-9]{2}){5}
COMMONMAC [A-Fa-f0-9]{2}(?::[A-Fa-f0-9]{2}){5}
IP (?:%{IPV6:UNWANTED}|%{IPV4:UNWANTED})
HOST %{HOSTNAME:UNWANTED}
IPORHOST (?:%{HOSTNAME:UNWANTED}|%{IP:UNWANTED})
HOSTPORT %{IPORHOST}:%{POSINT:PORT}
PATH (?:%{UNIXPATH}|%{WINPATH})
UNIXPATH (?>/(?>[\w%!$@:.,~-]+|\\.)*)+
TTY /dev/(?:pts|tty[pq]?)\w*/?[0-9]+
WINPATH (?>[A-Za-z]+:|\\)(?:\\[^\\?*]*)+
URIPROTO [A-Za-z]+(?:\+[A-Za-z+]+)?
URIHOST %{IPORHOST}(?::%{POSINT:port})?
URIPATH (?:/[A-Za-z0-9$.+!*'(){},~:;=@#%_\-]*)+
URIPARAM \?[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\-\[\]]*
URIPATHPARAM %{URIPATH}(?:%{URIPARAM})?
URI %{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?
MONTHNUM (?:0?[1-9]|1[0-2])
MONTHNUM2 (?:0[1-9]|1[0-2])
MONTHDAY (?:0[1-9]|[12][0-9]|3[01]|[1-9])
YEAR (?>[0-9][0-9]){1,2}
HOUR (?:2[0-3]|[01]?[0-9])
MINUTE [0-5][0-9]
SECOND (?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?
TIME %{HOUR}:%{MINUTE}:%{SECOND}(?![0-9])
DATE_US %{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}
DATE_EU %{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}
ISO8601_TIMEZONE (?:Z|[+-]%{HOUR}:?%{MINUTE})
ISO8601_SECOND (?:%{SECOND}|60)
TIMESTAMP_ISO8601 %{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?
DATE (?:%{DATE_US}|%{DATE_EU})
DATESTAMP %{DATE}[- ]%{TIME}
TZ (?:[PMCE][SD]T|UTC)
DATESTAMP_RFC822 %{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ}
DATESTAMP_RFC2822 %{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE}
DATESTAMP_OTHER %{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{TZ} %{YEAR}
DATESTAMP_EVENTLOG %{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND}
SYSLOGTIMESTAMP %{MONTH} +%{MONTHDAY} %{TIME}
PROG [\w._/%-]+
SYSLOGPROG %{PROG:program}(?:\[%{POSINT:pid}\])?
SYSLOGHOST %{IPORHOST}
SYSLOGFACILITY <%{NONNEGINT:facility}.%{NONNEGINT:priority}>
HTTPDATE %{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}
SYSLOGBASE %{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource} %{SYSLOGPROG}:
MESSAGESLOG %{SYSLOGBASE} %{DATA}
_REQUEST (?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})
_CLIENT %{IPORHOST:clientip} %{USER:ident} %{USER:auth} \[%{HTTPDATE:timestamp}\]
COMMONAPACHELOG %{_CLIENT:UNWANTED} "%{_REQUEST:UNWANTED}" %{NUMBER:response} (?:%{NUMBER:bytes}|-)
COMBINEDAPACHELOG %{COMMONAPACHELOG} %{QS:referrer} %{QS:agent}
"""
_LEVELS = "alert trace debug notice info warn warning err error crit critical fatal severe emerg emergency".split()
PATTERNS = dict(line.split(" ", 1) for line in _TEXT.strip().splitlines()) | {
    "IPV4": rf"(?<![0-9]){_OCTET}(?:\.{_OCTET}){{3}}(?![0-9])",
    "IPV6": _ipv6(),
    "HOSTNAME": rf"\b{_LABEL}(?:\.{_LABEL})*(?:\.?|\b)",
    "QUOTEDSTRING": _quoted(),
    "MONTH": _months(),
    "DAY": _days(),
    "LOGLEVEL": "(?:"
    + "|".join(form for name in sorted(_LEVELS, key=len, reverse=True) for form in (name, name.title(), name.upper()))
    + ")",
}


@dataclass(frozen=True, slots=True)
class Grok:
    """A compiled pattern, and which field each of its groups is for; several groups may be for one field."""

    pattern: re.Pattern[str]
    groups: tuple[tuple[str, str], ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields, in the order in which the pattern names them."""
        return tuple(dict.fromkeys(field for _, field in self.groups))

    def match(self, text: str) -> dict[str, str]:
        """Return the fields found in a text, without the quotes around them; none when it does not match."""
        found = self.pattern.search(text)
        values: dict[str, str] = {}
        if found is None:
            return values
        for group, field in self.groups:
            if (value := found[group]) is not None:
                values.setdefault(field, _bare(value))
        return values


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> Grok:
    """Return a pattern ready to match. Raises `UserError` when it names an unknown one or does not parse."""
    definitions, text = dict(PATTERNS), pattern
    groups: dict[str, str] = {}
    while (found := _REFERENCE.search(text)) is not None:
        name = found["pattern"]
        if found["definition"]:
            definitions[name] = found["definition"]
        if name not in definitions:
            raise UserError(f"unknown grok pattern {name[:80]!r}", hint=_near(name))
        group = f"name{len(groups)}"
        groups[group] = re.split("[;:]", found["field"] or name)[0]
        text = f"{text[: found.start()]}(?<{group}>{definitions[name]}){text[found.end() :]}"
        if len(groups) > MAX_REFERENCES or len(text) > MAX_LENGTH:
            raise UserError("the grok pattern is too long, or refers to itself")
    try:
        ready = regexes.compiled(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"the grok pattern does not parse: {error}") from None
    own = {name: name for name in ready.groupindex if name not in groups}
    order = sorted(ready.groupindex, key=ready.groupindex.__getitem__)
    named = [(group, (groups | own)[group]) for group in order]
    return Grok(ready, tuple((group, field) for group, field in named if field != _QUIET))


def _near(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, PATTERNS, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def _bare(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
