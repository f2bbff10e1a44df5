"""Nothing that an SDK, a propagator or a log handler does harms a job, and what goes wrong is said once."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from opentelemetry import baggage, metrics, propagate, trace
from opentelemetry import context as otel_context
from opentelemetry._logs import LoggerProvider, NoOpLogger
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import otelq
from otelq.logs import Log
from otelq.telemetry.exceptions import OPT_IN
from otelq.texts import LONGEST_MESSAGE, LONGEST_TRACEBACK
from tests.behaviour.support import AT_ONCE, ended

from .sdk import Sdk, claimed

jobs = otelq.Jobs()


@jobs.job("second", retry=AT_ONCE)
async def second(attempt: otelq.Attempt[int]) -> int:
    if attempt.number == 1:
        raise ValueError("again")
    return attempt.input


@jobs.job("first")
async def first(attempt: otelq.Attempt[int]) -> int:
    return attempt.continue_with(second, attempt.input)  # type: ignore[return-value]  # a continuation of the same output


def broken(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError("this SDK is broken")


async def all_goes_well(**providers: Any) -> None:
    """Let a client with these providers do a bit of everything."""
    async with otelq.connect("sqlite://", baggage=["tenant"], **providers) as client:
        async with otelq.Worker(client, jobs, concurrency=2, grace=0.5, poll_interval=0.05, undecodable_for=0):
            chains = [*await client.start_many(first, [1, 2, 3]), await client.start(first, 4)]
            assert [await client.result(chain, timeout=10) for chain in chains] == [1, 2, 3, 4]
            wrong = await client.start(otelq.JobType("first", input=str, output=int), "no number")
            assert (await ended(client, wrong)).status == "failed"
        blocker = await client.start(first, 5, delay=60)
        waiting = await client.start(first, 6, blockers=[blocker])
        await client.trigger(blocker)
        await client.cancel(blocker)
        assert (await client.chain(waiting)).tail.status == "failed"
        await client.redrive(blocker)
        await client.complete(blocker, 7, step=first)


class BrokenSpan(NonRecordingSpan):
    """A span of which one method raises."""

    def __init__(self, method: str) -> None:
        super().__init__(SpanContext(1, 2, False, TraceFlags(1)))
        setattr(self, method, broken)

    def is_recording(self) -> bool:
        return True


class Spans(trace.Tracer):
    """A tracer whose spans are broken."""

    def __init__(self, method: str) -> None:
        self._method = method

    def start_span(self, *_: Any, **__: Any) -> trace.Span:
        return BrokenSpan(self._method)

    start_as_current_span = broken


class Tracers(trace.TracerProvider):
    """A provider of such tracers."""

    def __init__(self, method: str) -> None:
        self._method = method

    def get_tracer(self, *_: Any, **__: Any) -> trace.Tracer:
        return Spans(self._method)


@pytest.mark.parametrize(
    "method",
    [
        "get_span_context",
        "is_recording",
        "set_attributes",
        "set_attribute",
        "add_event",
        "set_status",
        "add_link",
        "end",
    ],
)
async def test_a_span_that_raises_harms_no_job(method: str) -> None:
    await all_goes_well(tracer_provider=Tracers(method))


class NoTracers(trace.TracerProvider):
    get_tracer = broken


class NoMeters(metrics.MeterProvider):
    get_meter = broken


class NoInstruments(metrics.NoOpMeter):
    create_histogram = broken
    create_observable_counter = broken


class HalfMeters(metrics.MeterProvider):
    def get_meter(self, name: str, *_: Any, **__: Any) -> metrics.Meter:
        return NoInstruments(name)


class Unhashable(metrics.NoOpMeterProvider):
    __hash__ = None  # type: ignore[assignment]  # as a dataclass has it


@pytest.mark.parametrize(
    "providers",
    [
        {"tracer_provider": NoTracers()},
        {"meter_provider": NoMeters()},
        {"meter_provider": HalfMeters()},
        {"meter_provider": Unhashable()},
    ],
    ids=["no tracer", "no meter", "no instruments", "no hash"],
)
async def test_a_provider_that_raises_harms_no_job(providers: Any) -> None:
    await all_goes_well(**providers)


class BrokenProcessor(SpanProcessor):
    on_start = broken
    on_end = broken


class Cancelling(SpanProcessor):
    """Cancels the task of the first attempt, which no handler of exceptions catches."""

    def __init__(self) -> None:
        self.is_over = False

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if span.name == "process second" and not self.is_over:
            self.is_over = True
            raise asyncio.CancelledError


async def test_whatever_ends_an_attempts_task_its_slot_is_free_again(caplog: pytest.LogCaptureFixture) -> None:
    tracers = TracerProvider()
    tracers.add_span_processor(Cancelling())
    async with (
        otelq.connect("sqlite://", tracer_provider=tracers) as client,
        otelq.Worker(client, jobs, concurrency=1, grace=0.5),
    ):
        await client.start(second, 1)
        assert await client.result(await client.start(second, 2), timeout=10) == 2
    assert "ended without an outcome" in caplog.text


class BrokenSampler(Sampler):
    should_sample = broken
    get_description = broken


@pytest.mark.parametrize("how", ["processor", "sampler"])
async def test_an_sdk_with_a_broken_part_harms_no_job(how: str) -> None:
    tracers = TracerProvider(sampler=BrokenSampler()) if how == "sampler" else TracerProvider()
    if how == "processor":
        tracers.add_span_processor(BrokenProcessor())
    await all_goes_well(tracer_provider=tracers, meter_provider=MeterProvider())


class BrokenPropagator(TextMapPropagator):
    inject = broken
    extract = broken

    @property
    def fields(self) -> set[str]:
        return {"x-own"}


class FieldlessPropagator(BrokenPropagator):
    @property
    def fields(self) -> set[str]:
        broken()


@pytest.fixture(params=[BrokenPropagator, FieldlessPropagator])
def propagator(request: pytest.FixtureRequest) -> Iterator[None]:
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(request.param())
    yield
    propagate.set_global_textmap(before)


async def test_a_propagator_that_raises_harms_no_job(propagator: None, sdk: Sdk) -> None:
    await all_goes_well(tracer_provider=sdk.tracers, meter_provider=sdk.meters)


class Mute:
    __str__ = broken


async def test_baggage_without_a_text_harms_no_start(sdk: Sdk) -> None:
    token = otel_context.attach(baggage.set_baggage("tenant", Mute()))
    try:
        await all_goes_well(tracer_provider=sdk.tracers, meter_provider=sdk.meters)
    finally:
        otel_context.detach(token)
    assert len(sdk.named("process first")) == 5
    assert sdk.total("otelq.telemetry.dropped", reason="baggage")


async def test_a_broken_part_is_logged_once_and_counted_each_time(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    tracers = TracerProvider()
    tracers.add_span_processor(BrokenProcessor())
    await all_goes_well(tracer_provider=tracers, meter_provider=sdk.meters)
    lines = [record.getMessage() for record in caplog.records if record.name == "otelq.telemetry"]
    assert len(lines) == len(set(lines)) > 0
    assert sdk.total("otelq.telemetry.dropped", reason="sdk_error") > len(lines)


# Logging


class BrokenHandler(logging.Handler):
    emit = broken


class BrokenFilter(logging.Filter):
    filter = broken


@pytest.fixture
def bad_logging() -> Iterator[None]:
    handler, filter, logger = BrokenHandler(), BrokenFilter(), logging.getLogger("otelq")
    logger.addHandler(handler)
    logging.getLogger("otelq.worker").addFilter(filter)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield
    logger.setLevel(level)
    logger.removeHandler(handler)
    logging.getLogger("otelq.worker").removeFilter(filter)


async def test_a_log_handler_that_raises_harms_no_job(bad_logging: None, capsys: pytest.CaptureFixture[str]) -> None:
    await all_goes_well()
    assert "a handler of otelq.worker raised" in capsys.readouterr().err


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(filename)s %(message)s"))
    logger = logging.getLogger("otelq.test")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def test_a_line_cannot_be_forged_and_a_text_is_cut(written: io.StringIO) -> None:
    Log("otelq.test").error("%s is %d, %r", "x\nERROR forged \x1b[2J" + "y" * 1_000_000, 7, "a\nb")
    [line] = written.getvalue().splitlines()
    assert line.startswith("ERROR test_harmless.py x\\nERROR forged \\x1b[2J")
    assert line.endswith("… is 7, 'a\\nb'")
    assert len(line) < 2 * LONGEST_MESSAGE


def test_a_traceback_in_a_log_is_bounded_and_an_exception_that_is_not_is_not_handed_on(
    written: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("short", "long" * 1_000_000):
        try:
            raise ValueError(f"bad input {text}")
        except ValueError:
            Log("otelq.test").exception("it failed")
    assert len(written.getvalue()) < 2 * LONGEST_TRACEBACK
    assert written.getvalue().count("ValueError: bad input") == 2
    assert [record.exc_info is None for record in caplog.records] == [False, True]


# The texts of failures


class BrokenLogger(NoOpLogger):
    emit = broken


class BrokenLoggers(LoggerProvider):
    def get_logger(self, name: str, *_: Any, **__: Any) -> BrokenLogger:
        return BrokenLogger(name)


class NoLoggers(LoggerProvider):
    get_logger = broken


@pytest.mark.parametrize("method", ["get_logger", "emit"])
def test_a_broken_logger_provider_harms_nobody(sdk: Sdk, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setenv(OPT_IN, "logs")
    telemetry = sdk.telemetry(logger_provider=NoLoggers() if method == "get_logger" else BrokenLoggers())
    attempt = telemetry.attempt(claimed(None), worker="w")
    attempt.record_failure(ValueError("no"))
    attempt.end("failed")
    assert (sdk.one("process ship").attributes or {})["error.type"] == "ValueError"


async def test_an_exception_of_a_megabyte_leaves_little_of_itself(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    big = otelq.Jobs()

    @big.job("big", retry=otelq.RetryPolicy(max_attempts=10, initial=0))
    async def fails(attempt: otelq.Attempt[str]) -> int:
        raise ValueError(f"bad input {attempt.input}")

    async with otelq.connect("sqlite://", tracer_provider=sdk.tracers) as client, otelq.Worker(client, big):
        chain = await client.start(fails, "x" * 1_000_000)
        with pytest.raises(otelq.ChainFailed, match="bad input x") as failed:
            await client.result(chain, timeout=30)
        attempts = await client.attempts(f"{chain.id}.0")
    formatter = logging.Formatter()
    said = [formatter.format(record) for record in caplog.records]
    spans = sdk.named("process big")
    shown = [str(value) for span in spans for event in span.events for value in (event.attributes or {}).values()]
    shown += [str(span.status.description) for span in spans]
    stored = [attempt.failure.text for attempt in attempts if attempt.failure]
    assert len(attempts) == len(spans) == 10
    assert max(map(len, [*said, *shown, *stored, str(failed.value)])) < 2 * LONGEST_TRACEBACK
