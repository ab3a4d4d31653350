"""pySigma's collection of rules, one by one as rules of ours; imported only where pySigma is installed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.types import Placeholder, SigmaExpansion, SigmaString

from treering.core.errors import TreeringError
from treering.detect import _sigma
from treering.detect._rule_files import Rule, verified
from treering.detect._sigma_correlations import correlated
from treering.detect._sigma_fields import source_of
from treering.detect._sigma_needs import needs
from treering.detect._sigma_nodes import Translator, joined
from treering.query import print as printed
from treering.query.commands.search import Search
from treering.query.commands.where import Where
from treering.query.syntax import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Documents = Sequence[tuple[str, list[dict[str, Any]]]]
_MOST_VALUES = 1000
_log = logging.getLogger(__name__)


class Part:
    """A Sigma rule: what it asks, in words of ours; correlations put parts together."""

    def __init__(self, rule: SigmaRule, values: Mapping[str, Sequence[str]]) -> None:
        """Translate `rule`. Raises `UserError` or `SigmaError`."""
        self.rule = rule
        self.source = source_of(rule.logsource.to_dict())
        trees = [_filled(condition.parsed, values) for condition in rule.detection.parsed_condition]
        translator = Translator(self.source)
        self.node = joined("or", [translator.condition(tree) for tree in trees])
        clauses = [clause for tree in trees for clause in needs(tree, self.source)]
        self.needs = clauses


def convert(
    documents: Documents, values: Mapping[str, Sequence[str]]
) -> tuple[list[tuple[Rule, str]], list[_sigma.Refused]]:
    """Return the rules and the file of each, and why there is none of the others."""
    refused: list[_sigma.Refused] = []
    places: dict[str, str] = {}
    found_rules: list[Any] = []
    for where, found in documents:
        try:
            collection = SigmaCollection.from_dicts(
                found, collect_errors=True, collect_filters=True, resolve_references=False
            )
        except Exception as error:  # noqa: BLE001  whatever a foreign document makes of pySigma is told of it
            refused.append(_sigma.Refused(where, str(found[0].get("title", "")), _reason(error)))
            continue
        if not collection.rules and collection.errors:
            refused.append(_sigma.Refused(where, str(found[0].get("title", "")), _reason(collection.errors[0])))
        found_rules += [*collection.rules, *collection.filters]
        places.update((_key(rule), where) for rule in collection.rules)
    whole = SigmaCollection(found_rules, collect_filters=True, resolve_references=False)
    if whole.filters:
        whole.apply_filters(whole.filters)
    made = list(_each(whole, values, places))
    refused += [found for found, _ in made if not isinstance(found, Rule)]
    return [(found, where) for found, where in made if isinstance(found, Rule)], refused


def _each(
    whole: SigmaCollection, values: Mapping[str, Sequence[str]], places: Mapping[str, str]
) -> Iterator[tuple[Rule | _sigma.Refused, str]]:
    parts: dict[str, Part] = {}
    merged: set[str] = set()
    made: dict[str, Rule | _sigma.Refused] = {}
    # Correlations come last: they are made of rules that are there by then.
    for rule in sorted(whole.rules, key=lambda rule: isinstance(rule, SigmaCorrelationRule)):
        key = _key(rule)
        try:
            if rule.errors:
                raise rule.errors[0]
            if isinstance(rule, SigmaRule):
                parts[key] = Part(rule, values)
                made[key] = _plain(parts[key], places.get(key, ""))
            else:
                rule.resolve_rule_references(whole)
                known = [(reference, parts.get(_key(reference.rule))) for reference in rule.rules or ()]
                made[key] = _finished(correlated(rule, known), rule, places.get(key, ""))
                merged |= set() if rule.generate else {_key(reference.rule) for reference, _ in known}
        except Exception as error:  # noqa: BLE001  whatever a foreign document makes of pySigma is told of it
            made[key] = _sigma.Refused(places.get(key, ""), str(rule.title), _reason(error))
    # A rule that a correlation is made of says nothing by itself, unless the correlation wants that.
    for key, found in made.items():
        if key not in merged or isinstance(found, _sigma.Refused):
            yield found, places.get(key, "")


def _key(rule: Any) -> str:
    return str(rule.id or rule.name or id(rule))


def _plain(part: Part, where: str) -> Rule:
    condition = printed(Pipeline((Search((part.source.stream,)), Where(part.node))))
    bare: dict[str, Any] = {"condition": [condition], "needs": _bounded(part.needs)}
    return _finished(bare, part.rule, where)


def _bounded(clauses: list[dict[str, list[str]]]) -> list[dict[str, list[str]]]:
    return clauses if len(clauses) <= 128 else [{"@timestamp": ["*"]}]


def _finished(bare: dict[str, Any], rule: SigmaRule | SigmaCorrelationRule, where: str) -> Rule:
    """Return the rule with what people wrote about it. Raises `UserError`."""
    logsource = rule.logsource.to_dict() if isinstance(rule, SigmaRule) else {}
    made = Rule(
        id=_sigma.name_of(str(rule.title or rule.name or ""), str(rule.id or "")),
        title=str(rule.title or rule.name or rule.id),
        any_case=True,
        severity=_sigma.severity_of(rule.level.name.lower() if rule.level else ""),
        techniques=_sigma.techniques_of((tag.namespace, tag.name) for tag in rule.tags),
        logsource=" ".join(f"{name}:{value}" for name, value in logsource.items() if name != "definition" and value),
        description=str(rule.description or "").strip(),
        false_positives="; ".join(map(str, rule.falsepositives)),
        references=tuple(map(str, rule.references)),
        author=str(rule.author or ""),
        origin=f"sigma:{rule.id or rule.name or rule.title}",
        **bare,
    )
    return verified(made, where)


def _filled(tree: Any, values: Mapping[str, Sequence[str]]) -> Any:
    """Return the condition with the values that the user gave for placeholders; each value is a text as it is."""
    value = getattr(tree, "value", None)
    if isinstance(value, SigmaString):
        tree.value = _expanded(value, values)
    elif isinstance(value, SigmaExpansion):
        value.values = [_expanded(part, values) if isinstance(part, SigmaString) else part for part in value.values]
    for part in getattr(tree, "args", ()):
        _filled(part, values)
    return tree


def _expanded(value: SigmaString, values: Mapping[str, Sequence[str]]) -> Any:
    if not value.contains_placeholder():
        return value
    found = value.replace_placeholders(lambda holder: _given(holder, values))
    return SigmaExpansion(list(found)) if len(found) > 1 else found[0]


def _given(holder: Placeholder, values: Mapping[str, Sequence[str]]) -> Iterator[str | Placeholder]:
    known = values.get(holder.name, ())
    yield from known[:_MOST_VALUES] if known else (holder,)


def _reason(error: BaseException) -> str:
    if isinstance(error, TreeringError):
        return error.message
    if not isinstance(error, SigmaError):
        _log.debug("a Sigma rule could not be read", exc_info=error)
    return " ".join(str(error).split())[:300] or type(error).__name__
