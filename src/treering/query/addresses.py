"""Addresses of networks in SQL."""

from __future__ import annotations

import ipaddress
import re

from sqlglot import exp


def in_network(address: exp.Expression, network: str) -> exp.Expression:
    """Return whether an IPv4 address text lies in a network; of an IPv6 network, whether it has the network's prefix.

    `network` is an address or CIDR block that `ipaddress` reads.
    """
    block = ipaddress.ip_network(network, strict=False)
    if isinstance(block, ipaddress.IPv4Network):
        first, last = int(block.network_address), int(block.broadcast_address)
        return exp.Between(this=number(address), low=exp.Literal.number(first), high=exp.Literal.number(last))
    steps = block.network_address.exploded.split(":")[: block.prefixlen // 16]
    form = ":".join(f"0{{0,3}}{re.escape(step.lstrip('0') or '0')}" for step in steps)
    return exp.Anonymous(this="regexp_matches", expressions=[exp.Lower(this=address), exp.Literal.string(f"^{form}")])


def number(address: exp.Expression) -> exp.Expression:
    """Return an IPv4 address text as a number, NULL when it is none."""
    steps = exp.Anonymous(this="string_split", expressions=[address, exp.Literal.string(".")])
    total: exp.Expression | None = None
    for index, weight in enumerate((1 << 24, 1 << 16, 1 << 8, 1)):
        step = exp.Anonymous(this="list_extract", expressions=[steps.copy(), exp.Literal.number(index + 1)])
        part = exp.Mul(
            this=exp.TryCast(this=step, to=exp.DataType.build("BIGINT")), expression=exp.Literal.number(weight)
        )
        total = part if total is None else exp.Add(this=total, expression=part)
    return exp.Paren(this=total)


def canonical(text: str) -> str:
    """Return an address as the store writes it: IPv4 also where it is mapped into IPv6. Raises `ValueError`."""
    address = ipaddress.ip_address(text.strip())
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def key(address: exp.Expression) -> exp.Expression:
    """Return an address text as 32 hex digits, which sort as addresses do; IPv4 counts as mapped into IPv6."""
    colon = exp.Anonymous(this="contains", expressions=[address, exp.Literal.string(":")])
    four = exp.DPipe(
        this=exp.Literal.string("0" * 20 + "ffff"),
        expression=exp.Anonymous(this="printf", expressions=[exp.Literal.string("%08x"), number(address.copy())]),
    )
    halves = exp.Anonymous(this="string_split", expressions=[exp.Lower(this=address.copy()), exp.Literal.string("::")])
    left, right = (_groups(halves.copy(), index) for index in (1, 2))
    given = exp.Add(this=_length(left), expression=_length(right))
    gap = exp.Anonymous(
        this="repeat",
        expressions=[
            exp.Literal.string("0000"),
            exp.Paren(this=exp.Sub(this=exp.Literal.number(8), expression=exp.Paren(this=given))),
        ],
    )
    six = exp.DPipe(this=exp.DPipe(this=_padded(left.copy()), expression=gap), expression=_padded(right.copy()))
    return exp.Case(ifs=[exp.If(this=colon, true=six)], default=four)


def _groups(halves: exp.Expression, index: int) -> exp.Expression:
    half = exp.Anonymous(this="list_extract", expressions=[halves, exp.Literal.number(index)])
    known = exp.Coalesce(this=half, expressions=[exp.Literal.string("")])
    parts = exp.Anonymous(this="string_split", expressions=[known, exp.Literal.string(":")])
    body = exp.NEQ(this=exp.column("g"), expression=exp.Literal.string(""))
    kept = exp.Lambda(this=body, expressions=[exp.to_identifier("g")])
    return exp.Anonymous(this="list_filter", expressions=[parts, kept])


def _length(groups: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="len", expressions=[groups])


def _padded(groups: exp.Expression) -> exp.Expression:
    pad = exp.Anonymous(this="lpad", expressions=[exp.column("g"), exp.Literal.number(4), exp.Literal.string("0")])
    mapped = exp.Lambda(this=pad, expressions=[exp.to_identifier("g")])
    listed = exp.Anonymous(this="list_transform", expressions=[groups, mapped])
    return exp.Anonymous(this="array_to_string", expressions=[listed, exp.Literal.string("")])
