"""The numbers, and who counts them together."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider

from otelq.model import Status, Verb
from otelq.telemetry import CounterName, Telemetry, metrics, names
from otelq.telemetry.metrics import registry_for

from .sdk import CLAIMED, COMPLETED, CREATED, REAPED, RETRIED, Sdk, claimed, moved, span_context


def test_transitions_are_counted_by_type_verb_and_move(sdk: Sdk) -> None:
    sdk.telemetry().record_transitions([CREATED, CREATED, CLAIMED, COMPLETED])
    counted = {
        tuple(point.attributes[f"otelq.job.{key}"] for key in ("transition", "state.from", "state.to")): point.value
        for point in sdk.points("otelq.job.transitions")
    }
    assert counted == {
        ("create", "none", "ready"): 2,
        ("claim", "ready", "running"): 1,
        ("complete", "running", "completed"): 1,
    }


def test_a_jobs_life_feeds_every_metric_about_it(sdk: Sdk) -> None:
    sdk.telemetry().record_transitions([CREATED, CLAIMED, RETRIED, CLAIMED, REAPED, CLAIMED, COMPLETED])
    totals = {
        name: sdk.total(name)
        for name in (
            "messaging.client.sent.messages",
            "messaging.client.consumed.messages",
            "otelq.job.wait.duration",
            "otelq.job.duration",
            "otelq.chain.duration",
            "otelq.job.attempts",
            "otelq.job.retries",
            "otelq.job.reaped",
        )
    }
    assert list(totals.values()) == [1, 3, 3, 1, 1, 1, 1, 1]


def test_durations_are_those_of_the_databases_clock(sdk: Sdk) -> None:
    sdk.telemetry().record_transitions([CLAIMED, COMPLETED])
    sums = {name: sdk.points(name)[0].sum for name in ("otelq.job.wait.duration", "otelq.job.duration")}
    assert sums == {"otelq.job.wait.duration": 2.0, "otelq.job.duration": 3.0}


def test_a_job_that_continues_closes_but_its_chain_does_not(sdk: Sdk) -> None:
    sdk.telemetry().record_transitions([moved(Verb.CONTINUE, Status.RUNNING, Status.CONTINUED)])
    assert (sdk.total("otelq.job.duration"), sdk.total("otelq.chain.duration")) == (1, 0)


def test_deleting_a_closed_job_closes_nothing_again(sdk: Sdk) -> None:
    sdk.telemetry().record_transitions([moved(Verb.DELETE, Status.COMPLETED, None)])
    assert sdk.total("otelq.job.duration") == 0


def test_attempts_are_measured_by_error_type_and_unusual_outcome(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    telemetry.record_attempt("ship", 0.2, "completed")
    telemetry.record_attempt("ship", 0.2, "retry", "ValueError")
    attributes = [dict(point.attributes) for point in sdk.points("messaging.process.duration")]
    plain = {
        "messaging.system": "otelq",
        "messaging.operation.name": "process",
        "messaging.destination.name": "ship",
    }
    assert attributes == [plain, {**plain, "otelq.job.outcome": "retry", "error.type": "ValueError"}]


def test_an_attempts_measurement_carries_its_trace_as_an_exemplar(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    attempt = telemetry.attempt(claimed(), worker="w")
    telemetry.record_attempt("ship", 0.2, "completed", context=attempt.context)
    attempt.end("completed")
    [exemplar] = sdk.points("messaging.process.duration")[0].exemplars
    assert exemplar.span_id == span_context(sdk.one("process ship")).span_id


def test_statements_are_measured_by_operation_and_database(sdk: Sdk) -> None:
    sdk.telemetry(system="sqlite").record_operation("claim", 0.01)
    [point] = sdk.points("messaging.client.operation.duration")
    assert point.attributes["messaging.operation.type"] == "receive"
    assert point.attributes["db.system.name"] == "sqlite"


def test_other_counts_keep_their_type(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    telemetry.count(CounterName.LEASE_LOST, type="ship")
    telemetry.count(CounterName.CLAIM_EMPTY, 3)
    telemetry.count_unknown(2)
    assert sdk.total("otelq.lease.lost", name="ship") == 1
    assert (sdk.total("otelq.claim.empty"), sdk.total("otelq.report.unknown")) == (3, 2)


def test_two_clients_on_one_provider_sum(sdk: Sdk) -> None:
    for telemetry in (sdk.telemetry(), sdk.telemetry()):
        telemetry.record_transitions([CREATED])
        telemetry.add_capacity(10)
    assert sdk.total("messaging.client.sent.messages") == 2
    assert sdk.total("otelq.worker.capacity") == 20


def test_a_closed_client_leaves_its_totals_and_takes_its_gauges(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    telemetry.record_transitions([CREATED])
    telemetry.add_active("ship", 2)
    telemetry.add_capacity(10)
    telemetry.close()
    telemetry.close()
    assert sdk.total("messaging.client.sent.messages") == 1
    assert (sdk.total("otelq.job.active"), sdk.total("otelq.worker.capacity")) == (0, 0)


def test_a_reopened_client_goes_on_with_its_totals(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    telemetry.record_transitions([CREATED])
    telemetry.close()
    telemetry.open()
    telemetry.record_transitions([CREATED])
    assert sdk.total("messaging.client.sent.messages") == 2


def test_a_provider_that_is_gone_takes_its_registry_along() -> None:
    provider = MeterProvider()
    registry = weakref.ref(registry_for(provider, version="0"))
    provider.shutdown()
    del provider
    gc.collect()
    assert registry() is None


LATE = """
from opentelemetry import metrics, trace
from otelq.telemetry import Telemetry
from tests.telemetry.sdk import CLAIMED, CREATED, Sdk
early = Telemetry()
early.record_transitions([CREATED])
sdk = Sdk()
metrics.set_meter_provider(sdk.meters)
trace.set_tracer_provider(sdk.tracers)
late = Telemetry()
late.record_transitions([CREATED, CLAIMED])
explicit = Telemetry(meter_provider=sdk.meters)
explicit.record_transitions([CREATED])
early.enqueue(type="ship").end()
print(sdk.total("messaging.client.sent.messages"), sdk.total("otelq.job.wait.duration"), len(sdk.spans))
"""


def test_global_providers_that_are_set_late_get_everything_counted_before_and_after() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", LATE], cwd=root, capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == (["3", "1", "1"], "")


def test_types_beyond_the_cap_share_a_label_and_are_counted(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    for number in range(names.TYPE_LIMIT + 3):
        telemetry.record_transitions([moved(Verb.CREATE, None, Status.READY, type=f"type-{number}")])
    assert len(sdk.points("messaging.client.sent.messages")) == names.TYPE_LIMIT + 1
    assert sdk.total("messaging.client.sent.messages", name="_OTHER") == 3
    assert sdk.total("otelq.telemetry.overflow") == 3


def test_error_types_beyond_the_cap_share_a_label_and_are_counted(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    for number in range(names.ERROR_TYPE_LIMIT + 3):
        telemetry.record_attempt("ship", 0.1, "retry", f"Error{number}")
    assert len(sdk.points("messaging.process.duration")) == names.ERROR_TYPE_LIMIT + 1
    assert sdk.total("messaging.process.duration", type="_OTHER") == 3


def test_under_load_durations_are_thinned_counters_are_not_and_the_difference_is_told(sdk: Sdk) -> None:
    jobs = metrics.WHOLE_PER_SECOND + 10 * metrics.ONE_IN
    sdk.telemetry().record_transitions([CLAIMED] * jobs)
    measured = sdk.total("otelq.job.wait.duration")
    assert sdk.total("messaging.client.consumed.messages") == jobs
    assert measured == metrics.WHOLE_PER_SECOND + 10
    assert sdk.total("otelq.telemetry.thinned", instrument="otelq.job.wait.duration") == jobs - measured


def test_counting_from_several_threads_loses_nothing(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()

    def work() -> None:
        for _ in range(5000):
            telemetry.count(CounterName.CLAIM_EMPTY)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sdk.total("otelq.claim.empty") == 20_000


def test_a_histogram_that_raises_loses_nothing_but_its_own_measurement(
    sdk: Sdk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise RuntimeError("an exemplar filter of the application's own")

    monkeypatch.setattr(sdk.meters._sdk_config.exemplar_filter, "should_sample", broken)
    sdk.telemetry().record_transitions([CLAIMED, COMPLETED])
    monkeypatch.undo()
    assert sdk.total("otelq.job.transitions") == 2
    assert sdk.total("otelq.telemetry.dropped", reason="sdk_error") == 4


def test_an_instrument_is_never_made_twice(sdk: Sdk) -> None:
    clients: list[Telemetry] = [sdk.telemetry() for _ in range(3)]
    clients[0].record_transitions([CREATED])
    points = Counter(point for point in sdk.metrics())
    assert set(points.values()) == {1}
