"""Digests of texts in hexadecimal (manual: functions/cryptographic)."""

from __future__ import annotations

from treering.core.errors import UserError
from treering.query.arguments import takes
from treering.query.coerce import sql_cast
from treering.query.function import Function, Typed
from treering.query.template import call
from treering.query.types import Type

_BITS = {224, 256, 384, 512}


def _sha2(text: Typed, bits: Typed) -> Typed:
    if isinstance(bits.value, int) and bits.value not in _BITS:
        raise UserError(f"sha2 takes 224, 256, 384 or 512 bits, not {bits.value}")
    if bits.value == 256:
        return call("sha256", Type.STRING, text)
    return call("ppl_sha2", Type.STRING, text, sql_cast(bits.sql, Type.BIGINT))


FUNCTIONS: dict[str, Function] = {
    "md5": takes("md5", "text", lambda x: call("md5", Type.STRING, x)),
    "sha1": takes("sha1", "text", lambda x: call("sha1", Type.STRING, x)),
    "sha2": takes("sha2", "text integer", _sha2),
}
