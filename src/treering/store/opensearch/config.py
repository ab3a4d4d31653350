"""What can be set about the OpenSearch store."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from treering.core.config import Config as Base
from treering.core.errors import UserError

_INDEX = re.compile(r"[a-z0-9][a-z0-9._-]*")
_PARTS = re.compile(r"(?:[a-z0-9._-]*)\{stream\}(?:[a-z0-9._-]*)")
_MIB = 1 << 20

Count = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(gt=0)]


class Config(Base, frozen=True, kw_only=True):
    """Settings of the OpenSearch store: the cluster, how to get in, how indexes are made, how much a query may pull."""

    urls: Annotated[
        tuple[str, ...], Meta(min_length=1, description="addresses of nodes; each stands in for the rest")
    ] = ("http://localhost:9200",)
    sniff: Annotated[bool, Meta(description="whether to ask the nodes for the addresses of the others")] = False
    user: Annotated[str, Meta(description="name for basic authentication")] = ""
    password_env: Annotated[str, Meta(description="environment variable that holds its password")] = ""
    password_file: Annotated[str, Meta(description="file that holds its password")] = ""
    api_key_env: Annotated[str, Meta(description="environment variable that holds an API key")] = ""
    api_key_file: Annotated[str, Meta(description="file that holds an API key")] = ""
    bearer_env: Annotated[str, Meta(description="environment variable that holds a bearer token")] = ""
    bearer_file: Annotated[str, Meta(description="file that holds a bearer token")] = ""
    ca: Annotated[str, Meta(description="file of certificates that the nodes' are checked against")] = ""
    certificate: Annotated[str, Meta(description="file of our own certificate")] = ""
    key: Annotated[str, Meta(description="file of its key, where the certificate's has none")] = ""
    verify: Annotated[bool, Meta(description="whether the nodes' certificates are checked")] = True
    timeout_s: Annotated[Seconds, Meta(description="seconds one request may take")] = 60.0
    patience_s: Annotated[Seconds, Meta(description="seconds of trying again before senders are told to")] = 20.0
    prefix: Annotated[str, Meta(description="how the names of our indexes begin")] = "treering-"
    lease_s: Annotated[
        Seconds, Meta(description="seconds for which a writer keeps others out after it was heard of last")
    ] = 60.0
    alias: Annotated[str, Meta(description="name under which the indexes of a stream are together")] = "{stream}"
    read: Annotated[
        tuple[str, ...], Meta(description="indexes of others, by name or pattern, that are shown as streams")
    ] = ("*",)
    shards: Annotated[Count, Meta(description="primary shards of a new index")] = 1
    replicas: Annotated[int, Meta(ge=0, description="further copies of each shard")] = 1
    settings: Annotated[
        dict[str, str | int | float | bool], Meta(description="further settings of new indexes, as `index.codec`")
    ] = msgspec.field(default_factory=dict)
    fields: Annotated[Count, Meta(description="fields of a stream that are indexed; the others are only kept")] = 1000
    bulk_bytes: Annotated[Count, Meta(description="bytes of one `_bulk` request")] = 8 * _MIB
    pull_documents: Annotated[Count, Meta(description="documents one query may fetch")] = 500_000
    pull_bytes: Annotated[Count, Meta(description="bytes one query may fetch")] = 512 * _MIB
    threads: Annotated[Count, Meta(description="threads of the engine that works on what was fetched")] = 2
    engine_memory_bytes: Annotated[Count, Meta(description="memory of all queries together")] = 1024 * _MIB
    retention: Annotated[
        dict[str, Annotated[float, Meta(gt=0)]],
        Meta(description="days that records of a stream or pattern are kept; the first match counts"),
    ] = msgspec.field(default_factory=dict)

    def checked(self) -> Config:
        """Return this configuration. Raises `UserError` for names that no index can have."""
        if not _INDEX.fullmatch(self.prefix):
            raise UserError(f"prefix {self.prefix!r} cannot begin the name of an index", hint="as treering-")
        if not _PARTS.fullmatch(self.alias):
            raise UserError(f"alias {self.alias!r} does not say where the stream's name goes", hint="as {stream}")
        return self
