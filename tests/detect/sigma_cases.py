"""Sigma rules of our own: each says what it shows, what is detected, and which records do and do not match."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple


class Case(NamedTuple):
    """A detection of Sigma, and records that match it, and such that do not."""

    name: str
    detection: dict[str, Any]
    match: list[dict[str, Any]]
    no_match: list[dict[str, Any]]


def selected(**items: Any) -> dict[str, Any]:
    return {"selection": {name.replace("__", "|"): value for name, value in items.items()}, "condition": "selection"}


ENCODED = base64.b64encode(b"ignore all rules").decode()
WIDE = base64.b64encode("get-secret".encode("utf-16-le")).decode()
WIDE_BE = base64.b64encode("get-secret".encode("utf-16-be")).decode()
WITH_MARK = base64.b64encode(b"\xff\xfe" + "get-secret".encode("utf-16-le")).decode()
SHIFTED = [base64.b64encode(b"x" * pad + b"ignore all rules, please" + b"y" * pad).decode() for pad in range(3)]

CASES = (
    Case("a text, whatever the case", selected(a="Tool.Exec"), [{"a": "tool.EXEC"}], [{"a": "tool.exec2"}, {"z": 1}]),
    Case("a list is or", selected(a=["x", "y"]), [{"a": "x"}, {"a": "Y"}], [{"a": "xy"}, {"a": "z"}]),
    Case("a map is and", selected(a="x", b="y"), [{"a": "x", "b": "y"}], [{"a": "x"}, {"a": "x", "b": "x"}]),
    Case(
        "a list of maps is or",
        {"selection": [{"a": "x"}, {"b": "y"}], "condition": "selection"},
        [{"a": "x"}, {"b": "y"}],
        [{"a": "y", "b": "x"}],
    ),
    Case("a number", selected(n=4688), [{"n": 4688}, {"z": 1, "n": "4688"}], [{"n": 46880}, {"n": "x4688"}]),
    Case("a truth", selected(t=True), [{"t": True}, {"t": "true"}], [{"t": False}, {"a": "true"}]),
    Case(
        "wildcards", selected(a="/v1/*/c?mp*"), [{"a": "/v1/x/y/completions"}], [{"a": "/v1/cmp"}, {"a": "/v1/x/cmp"}]
    ),
    Case("escaped wildcards", selected(a=r"what\*\?"), [{"a": "what*?"}], [{"a": "whatever?"}, {"a": r"what\*\?"}]),
    Case("signs of like are letters", selected(a="100%_a"), [{"a": "100%_a"}], [{"a": "100xya"}, {"a": "100%xa"}]),
    Case("backslashes", selected(a__endswith=r"\bin\sh.exe"), [{"a": r"C:\bin\SH.exe"}], [{"a": r"C:\binsh.exe"}]),
    Case("quotes", selected(a__contains='it\'s "so"'), [{"a": 'well, It\'s "so"!'}], [{"a": "its so"}]),
    Case("contains", selected(a__contains="jail"), [{"a": "a JAILbreak"}, {"a": "jail"}], [{"a": "jai l"}]),
    Case("startswith", selected(a__startswith="sk-"), [{"a": "SK-abc"}], [{"a": "ask-abc"}]),
    Case("endswith", selected(a__endswith=".onion"), [{"a": "http://x.onion"}], [{"a": "x.onion/y"}]),
    Case("all", selected(a__contains__all=["dump", "users"]), [{"a": "users: dump"}], [{"a": "dump"}]),
    Case("cased", selected(a__cased="Admin"), [{"a": "Admin"}], [{"a": "admin"}]),
    Case("cased contains", selected(a__contains__cased="ADMIN"), [{"a": "an ADMIN"}], [{"a": "an admin"}]),
    Case("re", selected(a__re=r"key=[a-f0-9]{8}\b"), [{"a": "my key=deadbeef!"}], [{"a": "key=DEADBEEF"}]),
    Case("re i", selected(a__re__i=r"^drop\s+table"), [{"a": "DROP  TABLE x"}], [{"a": "do DROP TABLE"}]),
    Case("re m", selected(a__re__m=r"^role: system$"), [{"a": "hi\nrole: system\nx"}], [{"a": "hi role: system"}]),
    Case("re s", selected(a__re__s=r"begin.*end"), [{"a": "begin\n\nend"}], [{"a": "end\nbegin"}]),
    Case("re s is asked for", selected(a__re=r"begin.*end"), [{"a": "begin end"}], [{"a": "begin\nend"}]),
    Case(
        "cidr", selected(a__cidr="10.0.0.0/8"), [{"a": "10.255.0.1"}], [{"a": "11.0.0.1"}, {"a": "10.x"}, {"a": "::1"}]
    ),
    Case(
        "cidr 6", selected(a__cidr="2001:db8::/32"), [{"a": "2001:db8:1::2"}], [{"a": "2001:db9::1"}, {"a": "10.0.0.1"}]
    ),
    Case("cidrs", selected(a__cidr=["10.0.0.0/8", "192.168.0.0/16"]), [{"a": "192.168.1.1"}], [{"a": "172.16.0.1"}]),
    Case("base64", selected(a__base64__contains="ignore all rules"), [{"a": f"run {ENCODED}"}], [{"a": SHIFTED[1]}]),
    Case(
        "base64offset",
        selected(a__base64offset__contains="ignore all rules"),
        [{"a": text} for text in SHIFTED],
        [{"a": "ignore all rules"}],
    ),
    Case(
        "wide",
        selected(a__wide__base64offset__contains="get-secret"),
        [{"a": f"-enc {WIDE}"}],
        [{"a": WIDE_BE}, {"a": "x"}],
    ),
    Case("utf16be", selected(a__utf16be__base64__contains="get-secret"), [{"a": WIDE_BE}], [{"a": WIDE}]),
    Case("utf16", selected(a__utf16__base64__contains="get-secret"), [{"a": WITH_MARK}], [{"a": WIDE}]),
    Case(
        "windash",
        selected(a__contains__windash=" -exec"),
        [{"a": "x -exec"}, {"a": "x /exec"}, {"a": "x –exec"}],
        [{"a": "x +exec"}],
    ),
    Case("exists", selected(a__exists=True), [{"a": "x"}, {"a": ""}], [{"b": "x"}]),
    Case("does not exist", selected(a__exists=False, b="x"), [{"b": "x"}], [{"a": "y", "b": "x"}]),
    Case("null", selected(a=None, b="x"), [{"b": "x"}], [{"a": "y", "b": "x"}]),
    Case("empty", selected(a="", b="x"), [{"a": "", "b": "x"}], [{"b": "x"}, {"a": "y", "b": "x"}]),
    Case("fieldref", selected(a__fieldref="b"), [{"a": "x", "b": "X"}], [{"a": "x", "b": "y"}, {"a": "x"}, {}]),
    Case(
        "fieldref startswith",
        selected(a__fieldref__startswith="b"),
        [{"a": "x%yz", "b": "x%y"}],
        [{"a": "xy", "b": "y"}],
    ),
    Case(
        "fieldref endswith", selected(a__fieldref__endswith="b"), [{"a": "xyz", "b": "yz"}], [{"a": "xyz", "b": "xy"}]
    ),
    Case("gt", selected(n__gt=5), [{"n": 6}, {"n": "5.5"}], [{"n": 5}, {"n": "many"}, {}]),
    Case("gte", selected(n__gte=5), [{"n": 5}], [{"n": 4}]),
    Case("lt", selected(n__lt=-1), [{"n": -2}], [{"n": -1}, {"n": 0}]),
    Case("lte", selected(d__lte=1.5), [{"d": 1.5}], [{"d": 1.6}]),
    Case("neq", selected(a__neq="x", b="y"), [{"a": "z", "b": "y"}], [{"a": "x", "b": "y"}]),
    Case("hour", selected(s__hour=3), [{"s": "2026-11-27T03:15:00Z"}], [{"s": "2026-11-27T04:15:00Z"}, {"s": "soon"}]),
    Case(
        "keywords",
        {"keywords": ["panic*page", "oops"], "condition": "keywords"},
        [{"body": "kernel PANIC: bad page"}, {"message": "well, oops"}],
        [{"body": "page panic"}, {"a": "oops"}],
    ),
    Case(
        "all keywords",
        {"keywords": {"|all": ["xid", "79"]}, "condition": "keywords"},
        [{"body": "Xid (0000): 79"}],
        [{"body": "Xid 31"}],
    ),
    Case(
        "keywords as expressions",
        {"keywords": {"|re": r"Xid \(.*\): (48|79)"}, "condition": "keywords"},
        [{"body": "NVRM: Xid (PCI): 79"}],
        [{"body": "NVRM: Xid (PCI): 13"}],
    ),
    Case(
        "not, and fields that are missing",
        {"selection": {"a": "x"}, "filter": {"b": "y"}, "condition": "selection and not filter"},
        [{"a": "x"}, {"a": "x", "b": "z"}],
        [{"a": "x", "b": "y"}, {"b": "z"}],
    ),
    Case(
        "not not",
        {"s": {"a": "x"}, "f": {"b": "y"}, "condition": "s and not (not f)"},
        [{"a": "x", "b": "y"}],
        [{"a": "x"}],
    ),
    Case(
        "1 of",
        {"s_one": {"a": "x"}, "s_two": {"b": "y"}, "f": {"c": "z"}, "condition": "1 of s_* and not 1 of f*"},
        [{"a": "x"}, {"b": "y"}],
        [{"a": "x", "c": "z"}, {"c": "z"}],
    ),
    Case(
        "all of them",
        {"one": {"a": "x"}, "two": {"b": "y"}, "condition": "all of them"},
        [{"a": "x", "b": "y"}],
        [{"a": "x"}, {"b": "y"}],
    ),
    Case(
        "several conditions are or",
        {"one": {"a": "x"}, "two": {"b": "y"}, "condition": ["one", "two"]},
        [{"a": "x"}, {"b": "y"}],
        [{"a": "y"}],
    ),
    Case("a field of nobody", selected(nobody="x"), [], [{"a": "x"}]),
    Case(
        "not a field of nobody",
        {"s": {"a": "x"}, "f": {"nobody|contains": "y"}, "condition": "s and not f"},
        [{"a": "x"}],
        [{"a": "z"}],
    ),
)
