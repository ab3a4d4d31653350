# ruff: noqa: RUF012  msgspec copies the empty lists
"""The messages of OTLP metrics as JSON has them; see `otlp_messages`."""

from __future__ import annotations

from typing import Any

import msgspec

from treering.parse.otlp_messages import KeyValue, Message, Resource, Scope, enumeration, identifier, unsigned


class Exemplar(Message):
    """A measurement that a data point summarises."""

    ONEOF = ("as_double", "as_int")

    filtered_attributes: list[KeyValue] = []
    time_unix_nano: int = 0
    as_double: float | None = None
    as_int: int | None = None
    span_id: Any = ""
    trace_id: Any = ""

    def __post_init__(self) -> None:
        """Check and convert what JSON spells differently. Raises `ValueError`."""
        self.trace_id, self.span_id = identifier(self.trace_id), identifier(self.span_id)


class Point(Message):
    """What all kinds of data points have."""

    attributes: list[KeyValue] = []
    start_time_unix_nano: int = 0
    time_unix_nano: int = 0
    flags: int = 0

    def __post_init__(self) -> None:
        """Check and convert what JSON spells differently. Raises `ValueError`."""
        unsigned(self.start_time_unix_nano, self.time_unix_nano)


class NumberDataPoint(Point):
    """One value of a gauge or a sum."""

    ONEOF = ("as_double", "as_int")

    as_double: float | None = None
    as_int: int | None = None
    exemplars: list[Exemplar] = []


class HistogramDataPoint(Point):
    """Counts in buckets with explicit bounds."""

    count: int = 0
    sum: float | None = None
    bucket_counts: list[int] = []
    explicit_bounds: list[float] = []
    exemplars: list[Exemplar] = []
    min: float | None = None
    max: float | None = None


class Buckets(Message):
    """Counts in exponential buckets on one side of zero."""

    offset: int = 0
    bucket_counts: list[int] = []


class ExponentialHistogramDataPoint(Point):
    """Counts in buckets whose bounds grow exponentially."""

    count: int = 0
    sum: float | None = None
    scale: int = 0
    zero_count: int = 0
    positive: Buckets | None = None
    negative: Buckets | None = None
    exemplars: list[Exemplar] = []
    min: float | None = None
    max: float | None = None
    zero_threshold: float = 0.0


class Quantile(Message):
    """One quantile of a summary."""

    quantile: float = 0.0
    value: float = 0.0


class SummaryDataPoint(Point):
    """Quantiles that the sender computed."""

    count: int = 0
    sum: float = 0.0
    quantile_values: list[Quantile] = []


class Data(Message):
    """What sums and histograms have in common."""

    aggregation_temporality: int | str = 0

    def __post_init__(self) -> None:
        """Check and convert what JSON spells differently. Raises `ValueError`."""
        self.aggregation_temporality = enumeration(self.aggregation_temporality)


class Gauge(Message):
    """Current values."""

    data_points: list[NumberDataPoint] = []


class Sum(Data):
    """Values that add up."""

    data_points: list[NumberDataPoint] = []
    is_monotonic: bool = False


class Histogram(Data):
    """Distributions."""

    data_points: list[HistogramDataPoint] = []


class ExponentialHistogram(Data):
    """Distributions in exponential buckets."""

    data_points: list[ExponentialHistogramDataPoint] = []


class Summary(Message):
    """Distributions as quantiles."""

    data_points: list[SummaryDataPoint] = []


class Metric(Message):
    """One metric with its data points."""

    ONEOF = ("gauge", "sum", "histogram", "exponential_histogram", "summary")

    name: str = ""
    description: str = ""
    unit: str = ""
    gauge: Gauge | None = None
    sum: Sum | None = None
    histogram: Histogram | None = None
    exponential_histogram: ExponentialHistogram | None = None
    summary: Summary | None = None
    metadata: list[KeyValue] = []


class ScopeMetrics(Message):
    """Metrics of one scope."""

    scope: Scope = msgspec.field(default_factory=Scope)
    metrics: list[Metric] = []
    schema_url: str = ""


class ResourceMetrics(Message):
    """Metrics of one resource."""

    resource: Resource = msgspec.field(default_factory=Resource)
    scope_metrics: list[ScopeMetrics] = []
    schema_url: str = ""


class MetricsRequest(Message):
    """An export request of metrics."""

    resource_metrics: list[ResourceMetrics] = []
