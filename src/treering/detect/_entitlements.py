"""Who may read what, as a user declares it: patterns of principals against patterns of resources."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from treering.core.config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

_REMEMBERED = 8_192
DEFAULT = "no entitlement allows it"


class Entitlement(Config, frozen=True):
    """That some principals may, or with `effect = "deny"` may not, do something with some resources.

    Patterns are those of shells: `*`, `?`, `[abc]`, case counts. What a record does not name (a tenant) fits any.
    """

    principal: Annotated[str, Meta(description="pattern of users, keys or services")]
    collections: Annotated[tuple[str, ...], Meta(description="patterns of collections, indexes, namespaces")] = ("*",)
    tenants: Annotated[tuple[str, ...], Meta(description="patterns of tenants")] = ("*",)
    verbs: Annotated[
        tuple[Literal["read", "write", "delete", "admin", "export"], ...], Meta(description="what; all if empty")
    ] = ()
    effect: Annotated[Literal["allow", "deny"], Meta(description="`allow` or `deny`; a deny wins")] = "allow"


class Entitlements:
    """Answers by the declared entitlements; with none of them everything is allowed."""

    def __init__(self, declared: Sequence[Entitlement], *, deny_by_default: bool) -> None:
        """Compile the patterns."""
        self._rules = [
            (one, _any((one.principal,)), _any(one.collections), _any(one.tenants), frozenset(one.verbs))
            for one in declared
        ]
        self._deny_by_default = deny_by_default
        self._asked = lru_cache(_REMEMBERED)(self._decide)

    def __bool__(self) -> bool:
        """Whether anything is declared."""
        return bool(self._rules)

    def refusal(self, principal: str, collection: str, tenant: str, verb: str) -> str:
        """Return why it is not allowed, empty where it is."""
        return self._asked(principal, collection, tenant, verb) if self._rules else ""

    def _decide(self, principal: str, collection: str, tenant: str, verb: str) -> str:
        fitting = [
            one
            for one, who, what, tenants, verbs in self._rules
            if who.match(principal)
            and what.match(collection)
            and (not tenant or tenants.match(tenant))
            and (not verbs or verb in verbs)
        ]
        for one in fitting:
            if one.effect == "deny":
                return f"denied to {one.principal} for {', '.join(one.collections)}"
        return "" if fitting or not self._deny_by_default else DEFAULT


def _any(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)))
