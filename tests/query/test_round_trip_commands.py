"""Every command with all its options, names and values at random: what is printed parses to the same query."""

from __future__ import annotations

import pkgutil
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from treering import query as ppl
from treering.query import commands, lexer, printer
from treering.query.syntax import Binary, Call, Literal, Name

NAMES = st.sampled_from(
    ["a", "a.b", "@timestamp", "with space", "x-y", "in", "by", "span", "schön", "a'b", "`tick`", "9x"]
)
STRINGS = st.text(max_size=5)
ATOMS = st.one_of(
    NAMES.map(Name),
    STRINGS.map(lambda s: Literal(s, "string")),
    st.integers(0, 99).map(lambda n: Literal(str(n), "integer")),
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(Binary, st.sampled_from(["or", "and", "=", "<", "+", "*", "like"]), inner, inner),
        st.builds(lambda x, y: Call("coalesce", (x, y)), inner, inner),
    ),
    max_leaves=4,
)
CONDITIONS = st.builds(Binary, st.sampled_from(["=", "!=", "<", ">="]), EXPRESSIONS, EXPRESSIONS)
HOLES = {
    "f": NAMES.map(lexer.name),
    "e": EXPRESSIONS.map(printer.expression),
    "c": CONDITIONS.map(lambda node: f"({printer.expression(node)})"),
    "n": st.integers(1, 99).map(str),
    "s": STRINGS.map(lexer.quote),
    "d": st.sampled_from(["1m", "2h", "5d", "1w", "3M", "1q", "1y", "30s"]),
    "b": st.sampled_from(["true", "false"]),
    "g": st.sampled_from(
        ["count()", "sum(a)", "avg(`x y`)", "p95(a)", "percentile(a, 50)", "dc(a)", "count(eval(a > 1))", "take(a, 3)"]
    ),
    "w": st.sampled_from(["count()", "sum(a)", "avg(a)", "min(a) as m"]),
    "j": st.sampled_from(["inner", "left", "semi", "anti", "cross", "right", "full"]),
    "v": st.one_of(
        STRINGS.map(lexer.quote), st.sampled_from(["word", "a*b", "10.0.0.1", "-5", "x-y", "2.5", '"two words"'])
    ),
    "t": st.sampled_from(["abc123", "'4bf9 x'", "4bf92f3577b34da6a3ce929d0e0e4736"]),
    "q": st.sampled_from(["[ source=b | where x = 1 ]", "[ source=b ]"]),
}
# A hole is $ and its letter; one of the parts between < | > is chosen, which may be empty.
COMMANDS = [
    "where $c",
    "fields <|+ |- >$f, $f",
    "table $f $f",
    "eval $f = $e, $f = $e",
    "rename $f as $f",
    "stats <|bucket_nullable=false >$g as x, $g<| by $f| by span($f, $d) as t, $f>",
    "eventstats <|bucket_nullable=$b >$w<| by $f, $f>",
    "streamstats <|current=$b ><|window=$n ><|global=$b ><|reset_before=$c ><|reset_after=$c >$w<| by $f>",
    "bin $f <span=$n|span=$d|bins=$n|minspan=$n><| as $f>",
    "bin $f span=1h aligntime=<earliest|latest|'@d'>",
    "timechart span=$d <|limit=$n ><|useother=$b ><|timefield=$f >$g<| by $f>",
    "chart <|limit=top3 |limit=bottom2 ><|useother=$b ><|usenull=$b >$g<| over $f| by $f, $f| over $f by $f>",
    "chart <|nullstr=$s ><|otherstr=$s >$g over $f by $f",
    "xyseries $f $f in ($s, $s) $f",
    "trendline <|sort - $f |sort $f >sma($n, $f) as x wma($n, $f)",
    "sort <|$n ><|- >$f, <|- ><str|num|auto|ip>($f)",
    "sort <|$n >$f <|asc|desc>, <str|num|auto|ip>($f) desc",
    "reverse",
    "head $n<| from $n>",
    "dedup <|$n >$f, $f<| keepempty=$b><| consecutive=$b>",
    "top <|$n ><|countfield=$s ><|showcount=$b ><|usenull=$b >$f, $f<| by $f>",
    "rare <|$n ><|usenull=$b >$f<| by $f>",
    "parse $f '(?<x>.*)'",
    "grok $f '%{WORD:w}'",
    "rex field=$f <|max_match=$n ><|offset_field=o >'(?<x>a.*)'",
    "rex field=$f mode=sed 's/a/b/g'",
    "regex $f<=|!=>$s",
    "spath input=$f <|output=$f >path=a.b",
    "spath input=$f",
    "join left=l right=r<| max=$n><| overwrite=$b> on l.a = r.b $q",
    "$j join left=l right=r on l.a = r.b other",
    "join $f, $f $q",
    "lookup other $f as $f<|, $f><| replace $f as $f| append $f| output $f>",
    "append $q",
    "appendcol <|override=$b >[ where $c ]",
    "appendpipe [ stats count() by $f ]",
    "multisearch $q $q",
    "union $q, other",
    "addtotals<| row=$b><| col=$b><| fieldname=$s><| label=$s><| labelfield=$s> $f",
    "addcoltotals<| label=$s><| labelfield=$s> $f",
    "transpose <|$n ><|column_name=$s>",
    "fillnull with <$n|$s> in $f, $f",
    "fillnull using $f = $n, $f = $s",
    "fillnull value=$n $f",
    "fieldformat $f = $e",
    "replace $s with $s, $s with $s in $f, $f",
    "expand $f<| as $f>",
    "mvexpand $f<| limit=$n>",
    "flatten $f<| as (x, y)>",
    "mvcombine $f<| delim=$s>",
    "nomv $f",
    "convert <|timeformat='%Y' ><num|auto|ctime|mktime|dur2sec|memk|rmunit|rmcomma|none>($f)<| as $f>",
    "foreach $f [ eval <<FIELD>> = <<FIELD>> + $n ]",
    "timechart span=1h count() | timewrap $d<| align=end>",
    "patterns $f<| by $f><| method=simple_pattern><| mode=<label|aggregation>><| max_sample_count=$n>",
    "graphlookup other start=$f edge=$f-->$f<| maxDepth=$n> as $f",
    "describe <logs|other>",
    "show datasources",
    "makeresults count=$n",
    "makeresults format=<json data='[{\"a\": 1}]'|csv data='a,b\\n1,2'>",
    "search <|not >$v<| or $v| and $v><| ($v or not $v)><| x<=|!=|\u2264|\u2265>$v><| $f in ($s, $v)>",
    "search <earliest=-$d|latest=now|earliest='2026-01-02 03:04:05'|index=logs> $v",
    "source=[ source=other | head $n ] as x | where $c",
    "source=logs, other as l | fields $f",
    "explain <|simple |standard |cost |extended |analyze >source=logs | where $c | head $n",
    "kmeans<| centroids=$n><| iterations=$n><| distance_type=cosine>",
    "ad<| time_field=$s><| category_field=$s><| number_of_trees=$n><| shingle_size=$n>",
    "ml action='train' algorithm=<kmeans<| centroids=$n>|rcf<| time_field=$s><| anomaly_rate=0.25>>",
    "diff [ where $c ]<| against [ where $c ]><| top=$n><| alpha=0.25><| fields $f, $f>",
    "diff window=$d<| baseline=$d><| top=$n><| fields $f>",
    "drift $f<|, $f><| span=$d><| baseline=$d><| threshold=0.$n>",
    "trace $t<| spans=other><| logs=other>",
    "anomalies $f<| by $f, $f><| time=$f><| season=<auto|none|24h>><| sensitivity=$n>",
]
STARTS = frozenset("describe makeresults multisearch union show search source explain trace".split())
_HOLE = re.compile(r"\$([a-z])")
_INNER = re.compile(r"<([^<>]*)>")


def filled(draw: st.DrawFn, template: str) -> str:
    """Return a command with each choice made and each hole filled."""
    text = template
    if "(?<" not in text and "<<" not in text and "-->" not in text:
        while (found := _INNER.search(text)) is not None:
            text = text[: found.start()] + draw(st.sampled_from(found[1].split("|"))) + text[found.end() :]
    else:
        text = re.sub(r"<((?:\||[^<>?F])*\|[^<>]*)>", lambda m: draw(st.sampled_from(m[1].split("|"))), text)
    return _HOLE.sub(lambda m: draw(HOLES[m[1]]), text)


@st.composite
def queries(draw: st.DrawFn) -> str:
    template = draw(st.sampled_from(COMMANDS))
    text = filled(draw, template)
    # \u2264 and \u2265 stand for signs that would end a choice.
    text = text.replace("\u2264", "<=").replace("\u2265", ">=")
    return text if re.split(r"[ =]", text)[0] in STARTS else f"source=logs | {text}"


@given(queries())
@settings(deadline=None, max_examples=400)
def test_any_command_survives_printing(text: str) -> None:
    tree = ppl.parse(text, "logs")
    printed = ppl.print(tree)
    assert ppl.parse(printed, "logs") == tree, printed


def test_every_command_is_among_them() -> None:
    written = {word for text in COMMANDS for word in re.findall(r"(?:^|\| )([a-z]+)", text)} | {"join"}
    known = {module.name for module in pkgutil.iter_modules(commands.__path__) if not module.name.startswith("_")}
    files = {"learning": {"kmeans", "ad", "ml"}}  # one file, three commands
    assert {name for name in known if not files.get(name, {name}) <= written} == set()
