"""Protobuf messages of other projects, described in a few lines instead of generated code."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError as ProtobufError

from treering.core.errors import DecodeError

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _Field.TYPE_STRING, "bytes": _Field.TYPE_BYTES, "int64": _Field.TYPE_INT64, "int32": _Field.TYPE_INT32,
    "uint64": _Field.TYPE_UINT64, "double": _Field.TYPE_DOUBLE,
}  # fmt: skip
Description = dict[str, dict[str, tuple[int, str]]]


def messages(package: str, described: Description) -> dict[str, Any]:
    """Return a class for each message: name to its fields, name to number and type, `*` before it where repeated.

    A type is a scalar's or another message's of the same package.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"treering/{package}.proto", package=package, syntax="proto3")
    for name, fields in described.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind) in fields.items():
            field = message.field.add(name=field_name, number=number)
            field.label = _Field.LABEL_REPEATED if kind.startswith("*") else _Field.LABEL_OPTIONAL
            plain = kind.lstrip("*")
            if plain in _TYPES:
                field.type = _TYPES[plain]
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{package}.{plain}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    found = {name: pool.FindMessageTypeByName(f"{package}.{name}") for name in described}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


def decode(kind: Any, body: bytes) -> Any:
    """Return `body` as a message of class `kind`. Raises `DecodeError`."""
    try:
        return kind.FromString(body)
    except (ProtobufError, RecursionError, ValueError) as error:
        raise DecodeError(f"not a {kind.DESCRIPTOR.name}: {error}") from error
