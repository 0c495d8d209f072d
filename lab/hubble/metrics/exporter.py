"""The metrics of one observer, and the HTTP server that shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab.errors import InputError, LabError
from lab.hubble.metrics import context
from lab.hubble.metrics.counters import COUNTERS, LAYER7, Counter
from lab.hubble.observer import Observer
from lab.hubble.record import Record

PORT = 9965
DEFAULT = ("dns", "drop", "tcp", "flow", "port-distribution", "icmp", "http")
"""The metrics that the article turns on."""


class FlowMetrics(Collector):
    """Counts every flow of an observer; collected by a Prometheus registry."""

    def __init__(self, observer: Observer, configuration: Sequence[str] = DEFAULT) -> None:
        """`configuration`: "name" or "name:option=value;option=value", as in Hubble's settings.

        InputError names a metric or an option that does not exist.
        """
        self._observer = observer
        self._counters = parse(configuration)
        observer.add_count(self.take)

    def take(self, record: Record, times: int) -> None:
        for counter in self._counters:
            counter.take(record, times)

    def collect(self) -> Iterator[Metric]:
        for counter in self._counters:
            family = CounterMetricFamily(counter.name, counter.text, labels=counter.labels)
            for labels, count in counter.samples():
                family.add_metric(labels, count)
            yield family
        yield self._lost()
        yield self._malformed()
        fill = GaugeMetricFamily("hubble_ring_flows", "Flows stored in the ring")
        fill.add_metric([], len(self._observer.flows))
        yield fill

    def _lost(self) -> Metric:
        family = CounterMetricFamily(
            "hubble_lost_events", "Events lost before they were flows", labels=["source"]
        )
        family.add_metric(["perf_event_ring_buffer"], self._observer.lost_events)
        family.add_metric(["hubble_ring_buffer"], self._observer.missed_flows)
        return family

    def _malformed(self) -> Metric:
        family = CounterMetricFamily("hubble_malformed_events", "Events that could not be read")
        family.add_metric([], self._observer.malformed)
        return family


class MetricsServer:
    """GET /metrics on one port."""

    def __init__(self, *collectors: Collector, port: int = PORT, address: str = "0.0.0.0") -> None:
        """LabError when the port is taken."""
        registry = CollectorRegistry()
        for collector in collectors:
            registry.register(collector)
        try:
            self._server, self._thread = start_http_server(port, address, registry)
        except OSError as exc:
            raise LabError(f"metrics cannot be served on {address}:{port}: {exc}") from exc

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def parse(configuration: Sequence[str]) -> list[Counter]:
    """The counters of a metrics configuration, in its order."""
    counters = []
    for entry in configuration:
        name, _, text = entry.partition(":")
        options = dict(_option(part) for part in text.split(";") if part.strip())
        if name in COUNTERS:
            counters.append(COUNTERS[name](context.parse(options), options))
        elif name not in LAYER7:
            known = ", ".join([*COUNTERS, *sorted(LAYER7)])
            raise InputError(f"unknown Hubble metric {name!r}: want one of {known}")
    return counters


def _option(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()
