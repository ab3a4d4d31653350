"""Content codings (RFC 9110, section 8.4.1) of request bodies, unpacked into bounded memory.

A few kilobytes can unpack to gigabytes, so every method here stops at a limit: zlib is asked for no more than that,
the others write into a buffer that is no larger.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import cramjam

from treering.core.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

_GZIP, _ZLIB, _RAW = 31, 15, -15
_FIRST_GUESS = 8  # times the packed size; text packs to about that
_NO_ROOM = "failed to write whole buffer"
_MAX_ENCODINGS = 3


class UnknownEncoding(DecodeError):  # noqa: N818  named after what it is
    """The body is packed in a way that is not known here."""


class TooLarge(DecodeError):  # noqa: N818  named after what it is
    """The body is larger than the limit once unpacked."""


def unpack(encoding: str, body: bytes, limit: int) -> bytes:
    """Return `body` without its encodings (a comma-separated list, last applied first).

    Raises `UnknownEncoding`, `TooLarge` above `limit` bytes, and `DecodeError` for a damaged body.
    """
    names = [name.strip() for name in encoding.lower().split(",") if name.strip() not in ("", "identity")]
    if len(names) > _MAX_ENCODINGS:
        raise UnknownEncoding("too many content encodings")
    for name in reversed(names):
        method = _METHODS.get(name)
        if method is None:
            raise UnknownEncoding(f"unknown content encoding {name[:40]!r}", hint=f"known: {', '.join(_METHODS)}")
        body = method(body, limit)
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the unpacked body is larger than {limit} bytes")


def _damaged(name: str, error: object) -> DecodeError:
    return DecodeError(f"the body is not {name}: {error}")


def _gzip(body: bytes, limit: int) -> bytes:
    out = bytearray()
    while body:
        part, body = _inflate("gzip", _GZIP, body, limit - len(out))
        out += part
        if len(out) > limit:
            raise _too_large(limit)
        body = body.lstrip(b"\0")  # padding between members is allowed
    return bytes(out)


def _deflate(body: bytes, limit: int) -> bytes:
    # RFC 9110 means the zlib format; many senders leave its two bytes out.
    has_header = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _inflate("deflate", _ZLIB if has_header else _RAW, body, limit)[0] if body else b""


def _inflate(name: str, bits: int, body: bytes, limit: int) -> tuple[bytes, bytes]:
    inflater = zlib.decompressobj(bits)
    try:
        out = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise _damaged(name, error) from error
    if len(out) > limit:
        raise _too_large(limit)
    if not inflater.eof:
        raise _damaged(name, "it ends too early")
    return out, inflater.unused_data


def _growing(name: str, into: Callable[[bytes, bytearray], int]) -> Callable[[bytes, int], bytes]:
    def method(body: bytes, limit: int) -> bytes:
        if not body:
            return b""
        size = min(limit, max(65_536, _FIRST_GUESS * len(body)))
        while True:
            buffer = bytearray(size)
            try:
                written = into(body, buffer)
            except (cramjam.DecompressionError, OSError) as error:
                if _NO_ROOM not in str(error):
                    raise _damaged(name, error) from error
            else:
                return bytes(memoryview(buffer)[:written])
            if size >= limit:
                raise _too_large(limit)
            size = min(limit, size * 8)

    return method


def _snappy_block(body: bytes, limit: int) -> bytes:
    try:
        if cramjam.snappy.decompress_raw_len(body) > limit:
            raise _too_large(limit)
        return bytes(cramjam.snappy.decompress_raw(body))
    except (cramjam.DecompressionError, OSError) as error:
        raise _damaged("a snappy block", error) from error


_snappy_framed = _growing("framed snappy", cramjam.snappy.decompress_into)


def _snappy(body: bytes, limit: int) -> bytes:
    # The Collector means a raw block by `snappy`; others send the framed format under the same name.
    return (_snappy_framed if body.startswith(b"\xff\x06\x00\x00sNaPpY") else _snappy_block)(body, limit)


_METHODS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zlib": _deflate,
    "zstd": _growing("zstd", cramjam.zstd.decompress_into),
    "snappy": _snappy,
    "x-snappy-framed": _snappy_framed,
    "lz4": _growing("lz4", cramjam.lz4.decompress_into),
}
KNOWN = tuple(_METHODS)
