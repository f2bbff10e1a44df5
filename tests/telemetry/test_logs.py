"""Log records, and exceptions on the signal that was asked for."""

from __future__ import annotations

import logging

import pytest
from msgspec.structs import replace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from otelq.telemetry import JobContextFilter, job_extra, logger, request_id
from otelq.telemetry.exceptions import OPT_IN
from otelq.texts import message_of

from .sdk import CHAIN, Sdk, claimed, span_context


def seen(record: logging.LogRecord) -> list[str]:
    assert JobContextFilter().filter(record)
    names = ("trace_id", "span_id", "trace_flags", "job_id", "chain_id", "job_type", "job_attempt", "request_id")
    return [getattr(record, name) for name in names]


def record() -> logging.LogRecord:
    return logging.LogRecord("app", logging.INFO, __file__, 1, "hello", None, None)


def test_a_line_of_a_handler_says_which_job_and_span_it_belongs_to(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    job = replace(claimed(telemetry.enqueue(type="ship").stored_context, attempt=3), meta='{"request_id":"r-1"}')
    attempt = telemetry.attempt(job, worker="w")
    with attempt.activate():
        ids = seen(record())
    attempt.end("completed")
    span = span_context(sdk.one("process ship"))
    flags = f"{span.trace_flags:02x}"
    assert ids == [f"{span.trace_id:032x}", f"{span.span_id:016x}", flags, f"{CHAIN}.0", CHAIN, "ship", "3", "r-1"]


def test_a_line_outside_a_handler_can_be_formatted_too() -> None:
    assert seen(record()) == [""] * 8


def test_rooms_have_loggers_of_their_own_and_lines_about_a_job_its_attributes() -> None:
    assert logger("worker").name == "otelq.worker"
    assert job_extra(claimed(attempt=2)) == {
        "messaging.message.id": f"{CHAIN}.0",
        "otelq.chain.id": CHAIN,
        "messaging.destination.name": "ship",
        "otelq.job.attempt": 2,
    }


@pytest.mark.parametrize(
    "opted, events, records", [("", 1, 0), ("logs", 0, 1), ("logs/dup", 1, 1), ("http,logs", 0, 1)]
)
def test_an_exception_goes_where_the_environment_says(
    sdk: Sdk, monkeypatch: pytest.MonkeyPatch, opted: str, events: int, records: int
) -> None:
    monkeypatch.setenv(OPT_IN, opted)
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK left it so
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    attempt = sdk.telemetry(logger_provider=provider).attempt(claimed(), worker="w")
    attempt.record_failure(ValueError("no"))
    attempt.end("failed")
    span, logged = sdk.one("process ship"), exporter.get_finished_logs()
    assert (len(span.events), len(logged)) == (events, records)
    for item in logged:
        assert item.log_record.event_name == "messaging.process.exception"
        assert item.log_record.span_id == span_context(span).span_id
        assert (item.log_record.attributes or {})["exception.type"] == "ValueError"
    provider.shutdown()


def test_an_exception_without_a_readable_text_is_told_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert message_of(Mute()).endswith("Mute has no text>")


def test_a_request_id_of_the_applications_own_forges_no_line() -> None:
    token = request_id.set("7\nERROR forged")
    record = logging.LogRecord("app", logging.INFO, "app.py", 1, "hello", (), None)
    assert JobContextFilter().filter(record)
    request_id.reset(token)
    assert record.request_id == "7\\nERROR forged"  # type: ignore[attr-defined]  # the filter adds it
