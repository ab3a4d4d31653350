"""Prometheus remote write 1.0 to data points (prometheus.io/docs/specs/prw/remote_write_spec)."""

from __future__ import annotations

import struct
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from treering.parse.protobuf import decode, messages

if TYPE_CHECKING:
    from treering.stage.parser import Record

_MESSAGES = messages(
    "prometheus",
    {
        "Label": {"name": (1, "string"), "value": (2, "string")},
        "Sample": {"value": (1, "double"), "timestamp": (2, "int64")},
        "Series": {"labels": (1, "*Label"), "samples": (2, "*Sample"), "histograms": (4, "*bytes")},
        "Metadata": {"type": (1, "int32"), "name": (2, "string"), "help": (4, "string"), "unit": (5, "string")},
        "WriteRequest": {"timeseries": (1, "*Series"), "metadata": (3, "*Metadata")},
    },
)
_COUNTER = 1
_SUMS = ("_total", "_count", "_sum", "_bucket")
# The one NaN by which Prometheus says that a series has ended (model/value, StaleNaN).
_STALE = 0x7FF0000000000002
_NO_VALUE = 1  # OTLP's flag for a point without a value
_MAX_FAMILIES = 50_000
_MAX_MS = 2**63 // 1_000_000


class About(NamedTuple):
    """What a sender has said about a metric."""

    kind: int
    help: str
    unit: str


@dataclass(slots=True)
class Write:
    """The data points of a request, and how many of its items are none."""

    records: list[Record] = field(default_factory=list)
    rejected: int = 0


class Reader:
    """Reads requests; remembers what was said about metrics, which comes in requests of its own."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._about: OrderedDict[str, About] = OrderedDict()

    def read(self, body: bytes, now_ns: int) -> Write:
        """Return the data points of an unpacked request. Raises `DecodeError`.

        Native histograms are counted as rejected.
        """
        request = decode(_MESSAGES["WriteRequest"], body)
        for one in request.metadata:
            self._about[one.name] = About(one.type, one.help, one.unit)
            if len(self._about) > _MAX_FAMILIES:
                self._about.popitem(last=False)
        out = Write()
        for series in request.timeseries:
            self._series(series, now_ns, out)
        return out

    def _series(self, series: Any, now_ns: int, out: Write) -> None:
        labels = {pair.name: pair.value for pair in series.labels}
        name = labels.pop("__name__", "")
        out.rejected += len(series.histograms)
        if not name:
            out.rejected += len(series.samples)
            return
        head = self._head(name, labels)
        for sample in series.samples:
            moment = sample.timestamp * 1_000_000 if 0 < sample.timestamp < _MAX_MS else now_ns
            point: Record = {**head, "@timestamp": moment, "time": moment}
            if sample.value != sample.value and _bits(sample.value) == _STALE:
                point["flags"] = _NO_VALUE
            else:
                point["value"] = sample.value
            out.records.append(point)

    def _head(self, name: str, labels: dict[str, str]) -> Record:
        about = self._about.get(name) or self._about.get(name.removesuffix("_total"))
        counts = about.kind == _COUNTER if about else name.endswith(_SUMS)
        record: Record = {"name": name, "kind": "SUM" if counts else "GAUGE"}
        if counts:
            record |= {"aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE", "isMonotonic": True}
        if about and about.help:
            record["description"] = about.help
        if about and about.unit:
            record["unit"] = about.unit
        if labels:
            record["attributes"] = labels
        resource = {"service.name": labels.get("job"), "service.instance.id": labels.get("instance")}
        if known := {key: text for key, text in resource.items() if text}:
            record["resource"] = {"attributes": known}
        if labels.get("job"):
            record["serviceName"] = labels["job"]
        return record


def _bits(value: float) -> int:
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return int(bits)
