"""URLs and options of notifiers that cannot be used are refused before anything connects."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

import otelq
import otelq_nats
import otelq_redis
from otelq.errors import InvalidArgument


@pytest.mark.parametrize(
    "url, words",
    [
        ("redis+sentinel://host:26379", "names no service"),
        ("redis+sentinel://host:port/jobs", "cannot be read"),
        ("redis+sentinel://[host/jobs", "cannot be read"),
        ("redis://host:port", "cannot be read"),
        ("rediss+other://host", "no adapter"),
        ("nats://", "without a host"),
        ("nats://host:4222,host2:4222", "without a host"),
        ("nats://host:port", "without a host"),
        ("nats://[host", "without a host"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused(url: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        otelq.connect("memory:", notify=url)


def test_options_are_checked_by_name() -> None:
    with pytest.raises(InvalidArgument, match="user_credential"):
        otelq_nats.notifier("nats://host", user_credential="file")
    with pytest.raises(InvalidArgument, match="sockettimeout"):
        otelq_redis.notifier("redis://host", sockettimeout=3)
    with pytest.raises(InvalidArgument, match="subject"):
        otelq_nats.notifier("nats://host", subject="jobs.>")
    with pytest.raises(InvalidArgument, match="int"):
        otelq_redis.notifier(7)  # type: ignore[arg-type]


def test_options_are_refused_where_a_function_makes_the_clients() -> None:
    with pytest.raises(InvalidArgument, match="password: is for a URL"):
        otelq_redis.notifier(lambda: Redis(), password="s3cr3t")


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:s3cr3t@host:port",
        "redis://:s3cr3t/of-base64@host",
        "redis://user:s3cr3t#1@host",
        "redis+cluster://user:s3cr3t/@host",
        "redis+sentinel://user:s3cr3t/@host/jobs",
        "redis+sentinel://[user:s3cr3t@host/jobs",
        "nats://user:s3cr3t/@host",
        "nats://[user:s3cr3t@host",
    ],
)
def test_a_password_is_not_shown(url: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        otelq.connect("memory:", notify=url)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), True, "5", None])
def test_a_timeout_is_a_number_of_seconds(timeout: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^timeout: is .* give seconds"):
        otelq_redis.notifier("redis://host", timeout=timeout)
    with pytest.raises(InvalidArgument, match=r"^timeout: is .* give seconds"):
        otelq_nats.notifier("nats://host", timeout=timeout)
