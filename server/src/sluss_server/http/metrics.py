"""The counters of one server process, in the Prometheus text format.

For: how many requests of which route ended how, how long they took, and what became of what was pushed.
Refuses a label that came from a request: routes are templates, and codes and outcomes are closed lists.

They are served to the operator alone, on this machine's loopback: two looks at them tell how much was filed in
between, and that is more than one agency may know of another.

> INVARIANT: nothing here tells one device, person, agency or report from another.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

UNMATCHED: Final = "unmatched"
"""The route of a request that no route matches."""
METHODS: Final = frozenset({"GET", "POST", "OPTIONS"})
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)


class Metrics:
    """Counters with a registry of their own, so that two applications in one process stay apart."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "sluss_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "sluss_request_seconds",
            "Time from the first byte to the last, without a long poll's wait taken off.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._problems = Counter("sluss_problems", "Refusals by code.", ("code",), registry=self._registry)
        self._outcomes = Counter("sluss_outcomes", "Pushed items by outcome.", ("outcome",), registry=self._registry)
        # Looking a child up by its labels costs more than counting.
        self._answered: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is a template or `UNMATCHED`."""
        key = (method, route, status)
        found = self._answered.get(key)
        if found is None:
            shown = method if method in METHODS else "other"
            found = (self._requests.labels(shown, route, str(status)), self._seconds.labels(route))
            if shown == method:
                self._answered[key] = found
        found[0].inc()
        found[1].observe(seconds)

    def refused(self, code: str) -> None:
        """Count one refusal."""
        self._problems.labels(code).inc()

    def outcome(self, outcome: str) -> None:
        """Count what became of one pushed item."""
        self._outcomes.labels(outcome).inc()

    def serve(self, port: int) -> None:
        """Serve all counters as text to this machine, in a thread of its own.

        Raises:
            OSError: the port cannot be had.

        """
        start_http_server(port, addr="127.0.0.1", registry=self._registry)
