"""`ml`, `kmeans` and `ad`: clusters and outliers of the rows' numbers.

Needs scikit-learn (`pip install 'treering[ml]'`) and looks at 200,000 rows at most. All columns of numbers are looked
at, but for the fields of time and category; rows in which one of them is null get null. `kmeans` adds `ClusterID`.
`rcf` and `ad` add `score` and `anomalous`; with a field of time `score` and `anomaly_grade`, of the last few rows
together. The forest is an isolation forest, where OpenSearch grows random cut forests: scores are not the same
numbers, but here too 1 is where outliers begin. The same rows give the same answer each time.

Syntax:
    ml action='train' algorithm='kmeans' [centroids=<n>] [iterations=<n>] [distance_type=EUCLIDEAN|COSINE|L1]
    ml action='train' algorithm='rcf' [time_field='<field>'] [category_field='<field>'] [<option>=<value> …]
    kmeans [centroids=<n>] [iterations=<n>] [distance_type=EUCLIDEAN|COSINE|L1]
    ad [time_field='<field>'] [category_field='<field>'] [<option>=<value> …]

Arguments:
    action: train
    algorithm: kmeans or rcf
    centroids: how many clusters, 2 if not said
    iterations: how many steps at most, 10 if not said
    distance_type: EUCLIDEAN if not said
    time_field: the field of time, for a series
    category_field: rows are looked at apart by it
    number_of_trees: 30 if not said
    sample_size: how many rows a tree sees, 256 if not said
    output_after: the first rows, whose score is 0, 32 if not said
    training_data_size: how many of the first rows are learned from; all if not said
    anomaly_score_threshold: beyond which score a row is anomalous, 1.0 if not said
    shingle_size: of a series, how many rows are looked at together, 8 if not said
    anomaly_rate: of a series, the share of rows that may be anomalous, 0.005 if not said
    time_decay: of a series; taken, and not heeded
    date_format: of a field of time that holds texts; only yyyy-MM-dd HH:mm:ss
    time_zone: of a field of time that holds texts; only UTC

Example:
    source=logs | fields durationInNanos | ml action='train' algorithm='kmeans' centroids=2
    source=logs | stats count() as n by span(@timestamp, 1m) as at | ad time_field='at'
"""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import coerce, gathering, lexer
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.scope import Scope, column_value
from treering.query.syntax import Name
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("kmeans", "ad", "ml")
OPENS = re.compile(r"(?:kmeans|ad|ml)\s*(?:$|[|\]]|\w+\s*=)", re.IGNORECASE)
_KMEANS: dict[str, float | str] = {"centroids": 2, "iterations": 10, "distance_type": "EUCLIDEAN"}
_FOREST: dict[str, float | str] = {
    "number_of_trees": 30, "sample_size": 256, "output_after": 32, "training_data_size": 0,
    "anomaly_score_threshold": 1.0, "shingle_size": 8, "anomaly_rate": 0.005, "time_decay": 0.0001,
}  # fmt: skip
_FIXED = {"date_format": "yyyy-MM-dd HH:mm:ss", "time_zone": "UTC"}
_FIELDS = ("time_field", "category_field")
_DISTANCES = ("EUCLIDEAN", "COSINE", "L1")


@dataclass(frozen=True, slots=True)
class Learning:
    """The command's name, the algorithm ("kmeans" or "rcf") and what was said of its options."""

    name: str
    algorithm: str
    options: tuple[tuple[str, str], ...] = ()
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        parts = [self.name]
        parts += ["action='train'", f"algorithm={lexer.quote(self.algorithm)}"] if self.name == "ml" else []
        parts += [f"{name}={_written(name, value)}" for name, value in self.options]
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add the columns. Raises `UserError` where scikit-learn is not installed."""
        if importlib.util.find_spec("sklearn") is None:
            hint = "pip install 'treering[ml]'"
            raise UserError(f"{self.name} needs scikit-learn", hint=hint, where=compiler.where(self.place))
        said = dict(self.options)
        scope = Scope(relation, compiler)
        category = said.get("category_field")
        by = [scope.typed(Name(category, place=self.place))] if category else []
        left_out = {said.get("time_field"), category}
        numbers = [
            Typed(coerce.sql_cast(column_value(column).sql, Type.DOUBLE), Type.DOUBLE)
            for name, column in relation.columns.items()
            if column.type in coerce.NUMBERS and name not in left_out
        ]
        if not numbers:
            raise UserError(f"{self.name} needs columns of numbers", where=compiler.where(self.place))
        if self.algorithm == "kmeans":
            results = {"ClusterID": Type.INT}
            return gathering.applied(relation, compiler, "ppl_clusters", numbers, self._told(_KMEANS), results)
        if (time := said.get("time_field")) is None:
            results = {"score": Type.DOUBLE, "anomalous": Type.BOOLEAN}
            return gathering.applied(relation, compiler, "ppl_outliers", numbers, self._told(_FOREST), results, by)
        numbers.insert(0, self._time(scope.typed(Name(time, place=self.place)), compiler))
        results = {"score": Type.DOUBLE, "anomaly_grade": Type.DOUBLE}
        return gathering.applied(
            relation, compiler, "ppl_outliers_of_series", numbers, self._told(_FOREST), results, by
        )

    def _time(self, value: Typed, compiler: Compiler) -> Typed:
        if value.type is Type.STRING:
            value = Typed(coerce.sql_cast(value.sql, Type.TIMESTAMP, safe=True), Type.TIMESTAMP)
        if value.type is not Type.TIMESTAMP:
            raise UserError("time_field holds no times", where=compiler.where(self.place))
        return value

    def _told(self, defaults: dict[str, float | str]) -> str:
        said = dict(self.options)
        told = {name: said.get(name, value) for name, value in defaults.items()}
        return json.dumps({n: float(v) if not isinstance(defaults[n], str) else v for n, v in told.items()})


def _written(name: str, value: str) -> str:
    return lexer.quote(value) if name in _FIELDS or name in _FIXED else value


def parse(parser: Parser) -> Learning:
    """Read what follows `ml`, `kmeans` or `ad`."""
    end = parser.last_end
    begin = max(parser.text.rfind(" ", 0, end), parser.text.rfind("|", 0, end)) + 1
    name = parser.text[begin:end].strip().lower()
    algorithm = {"kmeans": "kmeans", "ad": "rcf"}.get(name, "")
    options: dict[str, str] = {}
    known = ("action", "algorithm", *_KMEANS, *_FOREST, *_FIXED, *_FIELDS)
    while option := parser.option(*known):
        start = parser.peek().start
        value = _value(parser)
        problem = _problem(option, value)
        if problem or (option in {"action", "algorithm"} and name != "ml"):
            raise UserError(problem or f"{option} belongs to ml", where=parser.where((start, parser.last_end)))
        if option == "algorithm":
            algorithm = value.lower()
        elif option != "action":
            options[option] = value.upper() if option == "distance_type" else value
    place = (begin, parser.last_end)
    if not algorithm:
        raise UserError("ml needs algorithm='kmeans' or algorithm='rcf'", where=parser.where(place))
    allowed = {*_KMEANS} if algorithm == "kmeans" else {*_FOREST, *_FIXED, *_FIELDS}
    if wrong := [option for option in options if option not in allowed]:
        raise UserError(f"{wrong[0]} is no option of {algorithm}", where=parser.where(place))
    return Learning(name, algorithm, tuple(options.items()), place)


def _value(parser: Parser) -> str:
    if parser.peek().kind in {Kind.STRING, Kind.NUMBER, Kind.NAME, Kind.QUOTED}:
        return parser.take().value
    return parser.fail("expected a value")


def _problem(option: str, value: str) -> str:  # noqa: PLR0911  one reason a line
    """Return what is wrong with an option's value, or nothing."""
    if option == "action":
        return "" if value.lower() in {"train", "trainandpredict"} else "ml keeps no models: action='train' does both"
    if option == "algorithm":
        return "" if value.lower() in {"kmeans", "rcf"} else "the algorithms of ml are kmeans and rcf"
    if option == "distance_type":
        return "" if value.upper() in _DISTANCES else f"distance_type is one of {', '.join(_DISTANCES)}"
    if option in _FIXED:
        return "" if value == _FIXED[option] else f"only {option}={_FIXED[option]!r} is supported"
    if option in _FIELDS:
        return ""
    try:
        number = float(value)
    except ValueError:
        return f"{option} is a number"
    return "" if 0 <= number <= 1_000_000 and (number or option != "centroids") else f"{option} is out of bounds"
