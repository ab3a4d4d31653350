"""What SQL may be made of: kinds of syntax nodes and names of functions. Whatever is not listed is refused by name.

No function here reads a file, the network, a setting or the clock, makes rows from nothing, or repeats a text.
"""

from __future__ import annotations

from sqlglot import exp

from treering.core.errors import UserError, Where

QUERIES = (exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Subquery)
_STRUCTURE = (
    exp.Alias,
    exp.CTE,
    exp.Column,
    exp.Cube,
    exp.DataTypeParam,
    exp.Distinct,
    exp.Dot,
    exp.From,
    exp.Group,
    exp.GroupingSets,
    exp.Having,
    exp.Identifier,
    exp.Join,
    exp.Limit,
    exp.Offset,
    exp.Order,
    exp.Ordered,
    exp.Qualify,
    exp.Rollup,
    exp.Star,
    exp.Table,
    exp.TableAlias,
    exp.Tuple,
    exp.Where,
    exp.Window,
    exp.WindowSpec,
    exp.With,
    exp.WithinGroup,
)
_VALUES = (
    exp.Add,
    exp.And,
    exp.Between,
    exp.Boolean,
    exp.Case,
    exp.Cast,
    exp.DPipe,
    exp.DataType,
    exp.Div,
    exp.EQ,
    exp.Escape,
    exp.Exists,
    exp.Filter,
    exp.GT,
    exp.GTE,
    exp.If,
    exp.ILike,
    exp.In,
    exp.IntDiv,
    exp.Interval,
    exp.Is,
    exp.LT,
    exp.LTE,
    exp.Like,
    exp.Literal,
    exp.Mod,
    exp.Mul,
    exp.NEQ,
    exp.Neg,
    exp.Not,
    exp.Null,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.Or,
    exp.Paren,
    exp.Sub,
    exp.TryCast,
    exp.Var,
)
_SCALARS = (
    exp.Abs,
    exp.ArrayContains,
    exp.TimeToUnix,
    exp.Cbrt,
    exp.Ceil,
    exp.Coalesce,
    exp.Concat,
    exp.ConcatWs,
    exp.Contains,
    exp.CurrentTimestamp,
    exp.Day,
    exp.DayOfMonth,
    exp.DayOfWeek,
    exp.DayOfYear,
    exp.Exp,
    exp.Extract,
    exp.Floor,
    exp.Greatest,
    exp.Hour,
    exp.JSONExtract,
    exp.JSONExtractScalar,
    exp.JSONPath,
    exp.JSONPathKey,
    exp.JSONPathRoot,
    exp.JSONPathSubscript,
    exp.JSONPathWildcard,
    exp.Least,
    exp.Left,
    exp.Length,
    exp.Ln,
    exp.Log,
    exp.Lower,
    exp.Minute,
    exp.Month,
    exp.Nullif,
    exp.Pow,
    exp.Quarter,
    exp.RegexpExtract,
    exp.RegexpILike,
    exp.RegexpLike,
    exp.RegexpReplace,
    exp.Replace,
    exp.Reverse,
    exp.Right,
    exp.Round,
    exp.Second,
    exp.Sign,
    exp.Sqrt,
    exp.StartsWith,
    exp.StrPosition,
    exp.Substring,
    exp.TimeToStr,
    exp.TimestampTrunc,
    exp.DateTrunc,
    exp.Trim,
    exp.Upper,
    exp.Week,
    exp.Year,
)
_AGGREGATES = (
    exp.AnyValue,
    exp.IgnoreNulls,
    exp.ApproxDistinct,
    exp.ApproxQuantile,
    exp.ArgMax,
    exp.ArgMin,
    exp.Avg,
    exp.Corr,
    exp.Count,
    exp.CountIf,
    exp.CumeDist,
    exp.DenseRank,
    exp.First,
    exp.FirstValue,
    exp.Lag,
    exp.Last,
    exp.LastValue,
    exp.Lead,
    exp.LogicalAnd,
    exp.LogicalOr,
    exp.Max,
    exp.Median,
    exp.Min,
    exp.Mode,
    exp.NthValue,
    exp.Ntile,
    exp.PercentRank,
    exp.PercentileCont,
    exp.PercentileDisc,
    exp.Quantile,
    exp.Rank,
    exp.RowNumber,
    exp.Stddev,
    exp.StddevPop,
    exp.StddevSamp,
    exp.Sum,
    exp.Variance,
    exp.VariancePop,
)
NODES = frozenset({*QUERIES, *_STRUCTURE, *_VALUES, *_SCALARS, *_AGGREGATES})
# Functions that the reader has no node for, and those whose names it keeps.
FUNCTIONS = frozenset(
    (
        "approx_quantile contains date_part ends_with epoch epoch_ns epoch_us json_extract_string "
        "json_extract_path_text len list_contains now prefix quantile_cont quantile_disc regexp_matches suffix"
    ).split()
)
TYPES = frozenset(
    {
        exp.DType.BIGINT,
        exp.DType.BOOLEAN,
        exp.DType.DATE,
        exp.DType.DECIMAL,
        exp.DType.DOUBLE,
        exp.DType.FLOAT,
        exp.DType.INT,
        exp.DType.SMALLINT,
        exp.DType.TEXT,
        exp.DType.TIME,
        exp.DType.TIMESTAMP,
        exp.DType.TIMESTAMP_NS,
        exp.DType.TIMESTAMPNTZ,
        exp.DType.TINYINT,
        exp.DType.VARCHAR,
    }
)
_JOIN_SIDES, _JOIN_KINDS = {"", "LEFT", "RIGHT", "FULL"}, {"", "INNER", "OUTER", "CROSS", "SEMI", "ANTI"}
# What is a plain value in the arguments of a node; everything else there is a node itself.
_STRANGE = (
    "hint",
    "kind",
    "operation_modifiers",
    "locks",
    "sample",
    "match",
    "laterals",
    "pivots",
    "connect",
    "into",
    "when",
    "version",
)


def check(tree: exp.Expr, text: str) -> None:
    """Raise `UserError` for the first part of `tree` that is not allowed. Comments are taken off."""
    for node in tree.walk():
        node.comments = None
        if type(node) not in NODES and not _known(node):
            raise refusal(f"{_called(node)} is not allowed", node, text)
        if isinstance(node, exp.DataType) and node.this not in TYPES:
            raise refusal(f"values cannot be cast to {node.sql('duckdb')[:60]}", node, text)
        if isinstance(node, exp.Var) and not isinstance(node.parent, exp.Interval | exp.Extract | exp.TimestampTrunc):
            raise refusal(f"{node.name[:60]} is not allowed here", node, text)
        if isinstance(node, exp.Select | exp.Table) and (odd := [name for name in _STRANGE if node.args.get(name)]):
            raise refusal(f"{odd[0].replace('_', ' ')} is not allowed", node, text)
        if isinstance(node, exp.Table | exp.Subquery) and node.args.get("joins"):
            raise refusal("a join between parentheses is not allowed", node, text)
        if isinstance(node, exp.Join) and (node.side not in _JOIN_SIDES or node.kind not in _JOIN_KINDS or node.method):
            raise refusal(f"a {node.method or node.kind or node.side} join is not allowed".lower(), node, text)
        if isinstance(node, exp.With) and node.recursive:
            raise refusal("WITH RECURSIVE is not allowed", node, text)


def _known(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and isinstance(node.this, str) and node.this.lower() in FUNCTIONS


def _called(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return f"the function {str(node.name)[:60].lower()}"
    name = node.sql_name().lower() if isinstance(node, exp.Func) else type(node).__name__.upper()
    return f"the function {name}" if isinstance(node, exp.Func) else name


def refusal(message: str, node: exp.Expr, text: str) -> UserError:
    """Return an error that points at a node, where the reader kept its place."""
    for part in node.walk():
        if "start" in part.meta:
            start, end = int(part.meta["start"]), int(part.meta["end"])
            where = Where(text, min(start, len(text)), max(1, end - start + 1))
            return UserError(message, hint="SQL here is one SELECT over streams; see docs/sql.md", where=where)
    return UserError(message, hint="SQL here is one SELECT over streams; see docs/sql.md")
