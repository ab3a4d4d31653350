"""What a file is that holds no text, by its first bytes."""

from __future__ import annotations

_HEAD = 4096
# First bytes and what has them: libmagic's database, the formats' own specifications.
_KINDS = (
    (b"PAR1", "Parquet"), (b"ARROW1", "Arrow"), (b"ORC", "ORC"), (b"Obj\x01", "Avro"), (b"SQLite format 3\0", "SQLite"),
    (b"\x89PNG", "PNG picture"), (b"\xff\xd8\xff", "JPEG picture"), (b"GIF8", "GIF picture"), (b"%PDF", "PDF"),
    (b"\x7fELF", "program"), (b"MZ", "program"), (b"\x93NUMPY", "NumPy array"), (b"GGUF", "GGUF model"),
    (b"\x89HDF", "HDF5"), (b"PK\x03\x04", "zip archive"), (b"7z\xbc\xaf", "7z archive"), (b"Rar!", "RAR archive"),
    (b"DUCK", "DuckDB"), (b"RIFF", "sound or picture"), (b"OggS", "sound"), (b"ID3", "sound"),
    (b"\x00asm", "WebAssembly"),
)  # fmt: skip
_PICKLES = frozenset(b"\x80" + bytes([version]) for version in range(2, 6))


def binary_kind(block: bytes) -> str:
    """Return what a file that begins so is where it is no text, empty where it is.

    No text has the first bytes of a known kind that no text has, many NULs, or some among bytes that are no UTF-8.
    """
    head = block[:_HEAD]
    known = next((kind for begin, kind in _KINDS if head.startswith(begin) and not _is_text(head)), "")
    if known:
        return known
    if head[257:262] == b"ustar":
        return "tar archive"
    if head[:2] in _PICKLES and not _is_text(head):
        return "Python pickle"
    if _is_wide(head) or b"\0" not in head:
        return ""
    if head[4:8] == b"\0\0\0\0" and b"brain.Event" in head[:64]:
        return "TensorBoard events"
    return "" if _is_text(head) else "unknown"


def _is_wide(head: bytes) -> bool:
    """Whether it is UTF-16: a byte order mark, or a letter and a NUL again and again."""
    return head[:2] in {b"\xff\xfe", b"\xfe\xff"} or (not head[1:9:2].strip(b"\0") and 0 not in head[:8:2])


def _is_text(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # A letter that the cut took apart is no sign; bytes of an old encoding have no NULs beside them.
        return error.end >= len(head) - 3 or (b"\0" not in head and not _has_control(head))
    return head.count(b"\0") <= len(head) // 16


def _has_control(head: bytes) -> bool:
    return sum(byte < 32 and byte not in b"\t\n\r\x1b\f\b" for byte in head) > len(head) // 50
