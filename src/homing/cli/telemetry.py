"""Tells an OpenTelemetry collector of traces, metrics and log lines (OTLP over HTTP).

A span is made when what it stands for has ended, so whether it is kept can depend on how that
went: what fails is always kept, with the acceptance it belongs to, and so is what comes after it.
Everything leaves in batches from threads of its own; a collector that is away costs what it was
not told of, and no delivery.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import Metric as Family

from homing import __version__
from homing.cli.logs import fields
from homing.core.errors import ConfigError
from homing.core.outcome import Reason
from homing.core.ports import Work
from homing.core.records import Attempt, Message
from homing.core.trace import Trace, acceptance_span, attempt_span, trace_of, traceparent_of

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics.export import Metric, MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

#: how long a collector may take, and so how much longer a stop takes when it is away
_TIMEOUT_S: Final = 3
#: how often metrics are sent: the default of the OpenTelemetry specification
_METRICS_EVERY_S: Final = 60.0
_MISSING: Final = "HOMING_OTLP_URL: OpenTelemetry needs more packages: pip install 'homing[otel]'"
#: OpenTelemetry's number for Python's level / 10: debug 5, info 9, warning 13, error 17, fatal 21
_SEVERITIES: Final = (1, 5, 9, 13, 17, 21)
#: told by nobody but the exporter itself; sending them would never end
_OWN_LOGGERS: Final = ("opentelemetry", "urllib3")


class Telemetry:
    """`core.ports.Tracer` over OTLP, and what sends metrics and log lines. One for each process.

    Args:
        url: of the collector, such as `http://127.0.0.1:4318`.
        share: of the traces whose publisher says nothing, how many are kept, 0 to 1.
        process: tells this process from others.
        families: what Prometheus would read of this process now.
        began_ns: when its counters began, nanoseconds UTC.

    Raises:
        ConfigError: OpenTelemetry is not installed.
    """

    def __init__(
        self,
        url: str,
        share: float,
        process: str,
        families: Callable[[], Iterable[Family]],
        began_ns: int,
    ) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise ConfigError([_MISSING]) from error
        self._share = share
        self._url = url.rstrip("/")
        self._resource = Resource(
            {
                "service.name": "homing",
                "service.version": __version__,
                "service.instance.id": process,
            }
        )
        self._spans = BatchSpanProcessor(
            OTLPSpanExporter(f"{self._url}/v1/traces", timeout=_TIMEOUT_S)
        )
        self._logs = self._log_handler()
        logging.getLogger().addHandler(self._logs)
        self._metrics = OTLPMetricExporter(f"{self._url}/v1/metrics", timeout=_TIMEOUT_S)
        self._families = families
        self._began_ns = began_ns

    # --- core.ports.Tracer ---

    def traceparent(self, message: Message, endpoint_id: str, number: int) -> str | None:
        trace = trace_of(message.id, message.traceparent, self._share)
        return traceparent_of(trace, attempt_span(message.id, endpoint_id, number))

    def accepted(self, message: Message) -> None:
        trace = trace_of(message.id, message.traceparent, self._share)
        if trace.sampled:
            self._spans.on_end(self._acceptance(trace, message))

    def attempted(self, work: Work, attempt: Attempt) -> None:
        trace = trace_of(work.message.id, work.message.traceparent, self._share)
        failed = attempt.reason is not Reason.OK
        # One lease without an outcome is the attempt's own.
        failed_before = work.delivery.failures > 0 or work.delivery.unanswered > 1
        if not (trace.sampled or failed or failed_before):
            return
        if not trace.sampled and not failed_before:
            self._spans.on_end(self._acceptance(trace, work.message))
        self._spans.on_end(self._attempt(trace, attempt))

    async def run(self, now_ns: Callable[[], int], every_s: float = _METRICS_EVERY_S) -> None:
        """Send the metrics now and then, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            data = self._metrics_data(now_ns())
            await asyncio.to_thread(self._metrics.export, data)

    def close(self) -> None:
        """Send what is waiting; takes as long as the collector lets it, at most some seconds."""
        logging.getLogger().removeHandler(self._logs)
        self._logs.provider.shutdown()
        self._spans.shutdown()  # type: ignore[no-untyped-call]
        self._metrics.shutdown()

    # --- spans ---

    def _acceptance(self, trace: Trace, message: Message) -> ReadableSpan:
        from opentelemetry.trace import SpanKind

        return self._span(
            trace,
            f"accept {message.event_type}",
            SpanKind.SERVER,
            (acceptance_span(message.id), trace.parent),
            (message.accepted_at_us, message.accepted_at_us),
            {
                "homing.message.id": message.id,
                "homing.application.id": message.app_id,
                "homing.event.type": message.event_type,
                "homing.deliveries": message.fanout,
            },
        )

    def _attempt(self, trace: Trace, attempt: Attempt) -> ReadableSpan:
        from opentelemetry.trace import SpanKind

        attributes: dict[str, Any] = {
            "http.request.method": "POST",
            "homing.message.id": attempt.message_id,
            "homing.endpoint.id": attempt.endpoint_id,
            "homing.application.id": attempt.app_id,
            "homing.attempt.id": attempt.id,
            "homing.attempt.number": attempt.number,
            "homing.outcome": str(attempt.reason),
        }
        if attempt.status is not None:
            attributes["http.response.status_code"] = attempt.status
        if attempt.reason is not Reason.OK:
            attributes["error.type"] = str(attempt.status or attempt.reason)
        span = attempt_span(attempt.message_id, attempt.endpoint_id, attempt.number)
        return self._span(
            trace,
            "attempt",
            SpanKind.CLIENT,
            (span, acceptance_span(attempt.message_id)),
            (attempt.at_us, attempt.at_us + attempt.total_us),
            attributes,
            error=None if attempt.reason is Reason.OK else attempt.detail or str(attempt.reason),
        )

    def _span(
        self,
        trace: Trace,
        name: str,
        kind: Any,
        ids: tuple[str, str | None],
        times_us: tuple[int, int],
        attributes: dict[str, Any],
        error: str | None = None,
    ) -> ReadableSpan:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

        def context(span: str, is_remote: bool) -> SpanContext:
            flags = TraceFlags(TraceFlags.SAMPLED)  # the exporter takes no others
            return SpanContext(int(trace.id, 16), int(span, 16), is_remote, flags)

        own, parent = ids
        return ReadableSpan(
            name=name,
            context=context(own, False),
            parent=None if parent is None else context(parent, True),
            resource=self._resource,
            attributes=attributes,
            kind=kind,
            status=Status(StatusCode.UNSET) if error is None else Status(StatusCode.ERROR, error),
            start_time=times_us[0] * 1_000,
            end_time=times_us[1] * 1_000,
            instrumentation_scope=InstrumentationScope("homing", __version__),
        )

    # --- metrics ---

    def _metrics_data(self, at_ns: int) -> MetricsData:
        from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        metrics = [_metric(family, self._began_ns, at_ns) for family in self._families()]
        scope = ScopeMetrics(InstrumentationScope("homing", __version__), metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], "")])

    # --- log lines ---

    def _log_handler(self) -> _Lines:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

        provider = LoggerProvider(self._resource)
        exporter = OTLPLogExporter(f"{self._url}/v1/logs", timeout=_TIMEOUT_S)
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        return _Lines(provider)


class _Lines(logging.Handler):
    """Hands log lines to OpenTelemetry, with the fields that were given as `extra`."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self.provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        from opentelemetry._logs import SeverityNumber

        if record.name.startswith(_OWN_LOGGERS):
            return
        try:
            attributes = {name: _plain(value) for name, value in fields(record).items()}
            if record.exc_info:
                attributes["exception.stacktrace"] = logging.Formatter().formatException(
                    record.exc_info
                )
            self.provider.get_logger(record.name).emit(
                timestamp=int(record.created * 1e9),
                severity_number=SeverityNumber(_SEVERITIES[record.levelno // 10]),
                severity_text=record.levelname.lower(),
                body=record.getMessage(),
                attributes=attributes,
            )
        except Exception:
            self.handleError(record)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) else str(value)


def _metric(family: Family, began_ns: int, at_ns: int) -> Metric:
    """One of Prometheus's metrics as OpenTelemetry has it."""
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Gauge,
        Metric,
        NumberDataPoint,
        Sum,
    )

    data: Any
    if family.type == "histogram":
        data = _histogram(family, began_ns, at_ns)
    else:
        points = [NumberDataPoint(s.labels, began_ns, at_ns, s.value) for s in family.samples]
        if family.type == "counter":
            data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        else:
            data = Gauge(points)
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return Metric(name, family.documentation, family.unit, data)


def _histogram(family: Family, began_ns: int, at_ns: int) -> Any:
    """Prometheus counts what is at most each bound, OpenTelemetry what is between two."""
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Histogram,
        HistogramDataPoint,
    )

    bounds: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    sums: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        if sample.name.endswith("_bucket"):
            bounds.setdefault(labels, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_sum"):
            sums[labels] = sample.value
    points = []
    for labels, at_most in bounds.items():
        at_most.sort()
        counts = [int(count) for _, count in at_most]
        between = [now - before for before, now in zip([0, *counts], counts, strict=False)]
        points.append(
            HistogramDataPoint(
                attributes=dict(labels),
                start_time_unix_nano=began_ns,
                time_unix_nano=at_ns,
                count=counts[-1],
                sum=sums[labels],
                bucket_counts=between,
                explicit_bounds=[bound for bound, _ in at_most[:-1]],
                min=0.0,
                max=0.0,
            )
        )
    return Histogram(points, AggregationTemporality.CUMULATIVE)
