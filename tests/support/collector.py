"""What an OpenTelemetry collector hears, parsed with OpenTelemetry's own messages."""

from __future__ import annotations

import gzip
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support.receiver import Received

_KINDS = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


def parsed(request: Received) -> Any:
    """The message that one request carries.

    Raises:
        KeyError, DecodeError: it is not one that a collector takes.
    """
    assert request.headers["content-type"] == "application/x-protobuf"
    body = request.body
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    message = _KINDS[request.path]()
    message.ParseFromString(body)
    return message


def spans(requests: list[Received]) -> list[Any]:
    """Every span that was told."""
    return [
        span
        for request in requests
        if request.path == "/v1/traces"
        for resource in parsed(request).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def metrics(requests: list[Received]) -> dict[str, Any]:
    """The latest of each metric, by name."""
    return {
        metric.name: metric
        for request in requests
        if request.path == "/v1/metrics"
        for resource in parsed(request).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def log_lines(requests: list[Received]) -> list[Any]:
    """Every log line that was told."""
    return [
        line
        for request in requests
        if request.path == "/v1/logs"
        for resource in parsed(request).resource_logs
        for scope in resource.scope_logs
        for line in scope.log_records
    ]


def attributes(of: Any) -> dict[str, Any]:
    """Of a span, a data point or a log line."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in of.attributes}
