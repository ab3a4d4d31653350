"""Real clients of today against the running application, each through its own public API."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import elasticsearch
import elasticsearch.helpers
import opensearchpy
import opensearchpy.helpers
import pytest
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Server

RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin:/bin")
RESOURCE = Resource.create({"service.name": "live", "deployment.environment.name": "ci"})


def documents(count: int) -> list[dict[str, Any]]:
    return [
        {
            "@timestamp": f"2026-11-24T08:00:{n:02d}Z",
            "message": f"é😀 {n}",
            "n": 2**53 + 1,
            "tags": ["a", "b"],
            "x": None,
        }
        for n in range(count)
    ]


def without_time(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "@timestamp"} for record in records]


@pytest.fixture(params=["http/protobuf", "http/json", "grpc"])
def exporters(request: pytest.FixtureRequest, server: Server) -> tuple[Any, Any, Any]:
    if request.param == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as Logs
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as Metrics
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Spans

        made = [kind(endpoint=server.grpc.address, insecure=True) for kind in (Logs, Spans, Metrics)]
        return made[0], made[1], made[2]
    if request.param == "http/json":
        from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter as JsonLogs
        from opentelemetry.exporter.otlp.json.http.metric_exporter import OTLPMetricExporter as JsonMetrics
        from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JsonSpans

        return (
            JsonLogs(endpoint=f"{server.url}/v1/logs"),
            JsonSpans(endpoint=f"{server.url}/v1/traces"),
            JsonMetrics(endpoint=f"{server.url}/v1/metrics"),
        )
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return (
        OTLPLogExporter(f"{server.url}/v1/logs", compression=Compression.Gzip),
        OTLPSpanExporter(f"{server.url}/v1/traces"),
        OTLPMetricExporter(f"{server.url}/v1/metrics", compression=Compression.Deflate),
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_opentelemetry_python_sdk(exporters: tuple[Any, Any, Any], server: Server) -> None:
    logs, spans, metrics = exporters
    tracing = TracerProvider(resource=RESOURCE)
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    logging_provider = LoggerProvider(resource=RESOURCE)
    logging_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    metering = MeterProvider([PeriodicExportingMetricReader(metrics, export_interval_millis=1e9)], resource=RESOURCE)
    logger = logging.getLogger("live.client")
    logger.propagate = False
    handler = LoggingHandler(logger_provider=logging_provider)
    logger.addHandler(handler)
    try:
        with tracing.get_tracer("t").start_as_current_span("chat gpt-4o", attributes={"gen_ai.usage.input_tokens": 7}):
            logger.warning("inside %s", "a span", extra={"big": 2**53 + 1})
        metering.get_meter("m").create_histogram("gen_ai.client.operation.duration", unit="s").record(0.25, {"k": "v"})
    finally:
        logger.removeHandler(handler)
        for provider in (metering, logging_provider, tracing):
            provider.shutdown()
    (span,), (log,) = server.records("spans"), server.records("logs")
    assert (span["name"], span["serviceName"]) == ("chat gpt-4o", "live")
    assert span["attributes"] == {"gen_ai.usage.input_tokens": 7}
    assert (log["body"], log["severityText"]) == ("inside a span", "WARN")
    assert (log["traceId"], log["spanId"]) == (span["traceId"], span["spanId"])
    assert log["attributes"]["big"] == 2**53 + 1
    points = [record for record in server.records("metrics") if record["name"] == "gen_ai.client.operation.duration"]
    assert [(point["sum"], point["count"], point["attributes"], point["unit"]) for point in points] == [
        (0.25, 1, {"k": "v"}, "s")
    ]


@pytest.fixture
def elastic(server: Server) -> Iterator[elasticsearch.Elasticsearch]:
    with elasticsearch.Elasticsearch(server.url, http_compress=True) as client:
        yield client


def test_elasticsearch_py_and_its_bulk_helpers(elastic: elasticsearch.Elasticsearch, server: Server) -> None:
    assert elastic.info()["version"]["number"].split(".")[0] == str(elasticsearch.__version__[0])
    assert elastic.ping()
    actions = [{"_index": "es-logs", "_op_type": "create", **document} for document in documents(50)]
    assert elasticsearch.helpers.bulk(elastic, actions, chunk_size=20) == (50, [])
    assert without_time(server.records("es-logs")) == without_time(documents(50))
    assert elastic.count(index="es-logs")["count"] == 50
    assert elastic.indices.exists(index="es-logs")
    assert not elastic.indices.exists(index="other")
    keyed = [{"_index": "es-keyed", "_id": str(n), "n": n} for n in range(5)]
    assert sum(ok for ok, _ in elasticsearch.helpers.streaming_bulk(elastic, keyed)) == 5
    elastic.update(index="es-keyed", id="3", doc={"more": True})
    assert elastic.get(index="es-keyed", id="3")["_source"] == {"n": 3, "more": True}
    assert elastic.delete(index="es-keyed", id="1")["result"] == "deleted"
    with pytest.raises(elasticsearch.ConflictError):
        elastic.create(index="es-keyed", id="2", document={"n": 9})
    with pytest.raises(elasticsearch.NotFoundError):
        elastic.get(index="es-keyed", id="1")
    assert sorted(record["n"] for record in server.records("es-keyed")) == [0, 2, 3, 4]


def test_elasticsearch_py_resends_what_was_refused_for_now(
    elastic: elasticsearch.Elasticsearch, server: Server
) -> None:
    server.busy = True
    refused = elasticsearch.helpers.streaming_bulk(
        elastic, [{"_index": "i", "n": 1}], raise_on_error=False, max_retries=1, initial_backoff=0.1
    )
    ((ok, item),) = refused
    assert not ok
    assert item["index"]["status"] == 429
    server.busy = False
    waiting = elasticsearch.helpers.bulk(elastic, [{"_index": "i", "n": 1}], max_retries=3, initial_backoff=0.1)
    assert waiting == (1, [])


def test_opensearch_py_and_its_bulk_helpers(server: Server) -> None:
    client = opensearchpy.OpenSearch(server.url, http_compress=True)
    assert client.info()["version"]["distribution"] == "opensearch"
    template = {"index_patterns": ["os-*"], "template": {"mappings": {"properties": {"message": {"type": "keyword"}}}}}
    client.indices.put_index_template(name="t", body=template)
    done, errors = opensearchpy.helpers.bulk(client, [{"_index": "os-logs", **document} for document in documents(30)])
    assert (done, errors) == (30, [])
    assert without_time(server.records("os-logs")) == without_time(documents(30))
    mapping = client.indices.get_mapping(index="os-logs")["os-logs"]["mappings"]["properties"]
    assert mapping["message"] == {"type": "keyword"}
    assert mapping["@timestamp"]["type"] == "date_nanos"
    assert client.count(index="os-*")["count"] == 30
    assert client.cluster.health()["status"] == "green"
    assert [row["index"] for row in client.cat.indices(format="json")] == ["os-logs"]
    client.indices.create(index="made", body={"mappings": {"properties": {"n": {"type": "long"}}}})
    with pytest.raises(opensearchpy.RequestError, match="already exists"):
        client.indices.create(index="made")
    assert client.index(index="made", body={"n": 1}, id="one", refresh=True)["result"] == "created"
    assert client.index(index="made", body={"n": 2}, id="one")["result"] == "updated"
    assert client.get(index="made", id="one")["_source"] == {"n": 2}
    client.indices.delete(index="made")
    assert not client.indices.exists(index="made")
    client.close()


@pytest.mark.skipif(RSYSLOGD is None, reason="needs rsyslogd with omelasticsearch")
def test_rsyslog_resends_items_that_were_refused_for_now(server: Server, tmp_path: Path) -> None:
    if not list(Path("/usr/lib").glob("**/rsyslog/omelasticsearch.so")):
        pytest.skip("needs rsyslog's omelasticsearch")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = tmp_path / "rsyslog.conf"
    configuration.write_text(
        textwrap.dedent(f"""
        global(workDirectory="{tmp_path}" net.enableDNS="off")
        module(load="imudp") module(load="omelasticsearch")
        input(type="imudp" address="127.0.0.1" port="{port}")
        template(name="doc" type="list") {{
          constant(value="{{\\"@timestamp\\":\\"") property(name="timereported" dateFormat="rfc3339")
          constant(value="\\", \\"message\\":\\"") property(name="msg" format="json")
          constant(value="\\", \\"log.syslog.severity.name\\":\\"") property(name="syslogseverity-text")
          constant(value="\\"}}\\n")
        }}
        action(type="omelasticsearch" server="127.0.0.1" serverport="{server.port}" template="doc"
               searchIndex="rsyslog-live" bulkmode="on" searchType="" retryfailures="on"
               writeoperation="index" action.resumeRetryCount="-1")
        """)
    )
    server.busy = True
    daemon = subprocess.Popen(
        [str(RSYSLOGD), "-n", "-f", str(configuration), "-i", str(tmp_path / "pid")],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            wait_until(lambda: send(sender, port, '<11>triton[7]: inference "failed" \\back é') or server.refused > 0)
        server.busy = False
        wait_until(lambda: len(server.records("rsyslog-live")) > 0)
    finally:
        daemon.terminate()
        daemon.communicate(timeout=20)
    record = server.records("rsyslog-live")[0]
    assert record["message"] == ' inference "failed" \\back é'
    # An item that it sends again is made anew by rsyslog, from a message of its own with the severity debug.
    assert record["log.syslog.severity.name"] in {"err", "debug"}
    assert "@timestamp" in record


def send(sender: socket.socket, port: int, text: str) -> bool:
    sender.sendto(text.encode(), ("127.0.0.1", port))
    return False


def wait_until(condition: Any, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)
