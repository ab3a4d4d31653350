"""Addresses (manual: functions/ip)."""

from __future__ import annotations

import ipaddress

from treering.core.errors import UserError
from treering.query import coerce
from treering.query.arguments import takes
from treering.query.function import Function, Typed
from treering.query.template import call
from treering.query.types import Type


def _cidrmatch(address: Typed, network: Typed) -> Typed:
    """Return whether an address is in a network; an address of the other family, or a text that is none, is not."""
    if not isinstance(network.value, str):
        raise UserError("cidrmatch takes its network as a quoted text such as '10.0.0.0/8'")
    try:
        ipaddress.ip_network(network.value, strict=False)
    except ValueError:
        raise UserError(f"{network.value!r} is not a network such as '10.0.0.0/8'") from None
    if isinstance(address.value, str):
        coerce.address(address.value)
    return call("ppl_in_network", Type.BOOLEAN, address, network)


FUNCTIONS: dict[str, Function] = {"cidrmatch": takes("cidrmatch", "address text", _cidrmatch)}
