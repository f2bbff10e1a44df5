"""Whatever is cancelled wherever, nothing is lost or doubled, and the application's connections stay usable."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from otelq_verify.drivers import POSTGRES, SQLITE
from tests.conftest import StartServer

from .__main__ import main
from .books import RETURNED, STOPPED, SWALLOWED, Books, Call, Found
from .launch import cancel

SECONDS = 4.0


def test_a_call_that_is_not_known_is_refused_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--driver", "aiosqlite", "--only", "strat"])

    assert ended.value.code == 2
    assert "start many" in capsys.readouterr().err


@pytest.mark.timeout(240)
@pytest.mark.parametrize("driver", POSTGRES)
def test_cancelled_calls_lose_and_double_nothing_on_postgresql(driver: str, postgres_server: StartServer) -> None:
    server = postgres_server(18)
    url = server.create_migrated_database()
    ended = cancel(url, driver, seconds=SECONDS, seed=1)
    server.drop_database(url)

    assert ended.is_clean, f"{ended.how}\n{ended.said}"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("driver", SQLITE)
def test_cancelled_calls_lose_and_double_nothing_on_sqlite(driver: str, tmp_path: Path) -> None:
    ended = cancel(f"sqlite:///{tmp_path}/otelq.db", driver, seconds=SECONDS, seed=1)

    assert ended.is_clean, f"{ended.how}\n{ended.said}"


STARTED: dict[str, Any] = {"chains": 1}
TIED: dict[str, Any] = {"chains": 1, "row": True}
CHANGED: dict[str, Any] = {"changed": ("a", "cancelled")}


@pytest.mark.parametrize(
    "intended, end, there, fault",
    [
        (STARTED, RETURNED, {}, "0 of 1 chains are there"),
        (STARTED, STOPPED, {"chains": 2}, "2 of 1 chains are there"),
        (TIED, STOPPED, {"chains": 1}, "0 rows are there, beside its chain"),
        (TIED, STOPPED, {"rows": 1}, "1 rows are there, beside no chain"),
        (TIED, STOPPED, {"chains": 1, "rows": 1}, "the callback ran 0 times, 1 rows are there"),
        (TIED, STOPPED, {"ran": 1}, "the callback ran 1 times, 0 rows are there"),
        (CHANGED, RETURNED, {"status": "running"}, "the chain is running, not cancelled"),
        (CHANGED | {"row": True}, STOPPED, {"status": "cancelled"}, "the chain is cancelled, beside 0 rows"),
    ],
)
def test_what_is_lost_or_doubled_is_named(
    intended: dict[str, Any], end: str, there: dict[str, Any], fault: str
) -> None:
    call = Call(number=7, action="start", end=end, **intended)
    books = Books([call], Counter({7: there.get("ran", 0)}))

    faults = books.faults(
        Found(
            chains={7: there.get("chains", 0)},
            rows={7: there.get("rows", 0)},
            statuses={"a": str(there.get("status"))},
        )
    )

    assert any(fault in one for one in faults), faults


@pytest.mark.parametrize("end, there", [(RETURNED, 1), (STOPPED, 1), (STOPPED, 0)])
def test_what_is_whole_passes(end: str, there: int) -> None:
    books = Books([Call(number=7, action="start", end=end, chains=1, row=True)], Counter({7: there}))

    assert not books.faults(Found(chains={7: there}, rows={7: there}, statuses={}))


def test_a_call_that_swallows_its_cancellation_is_named() -> None:
    books = Books([Call(number=7, action="ask", end=RETURNED, error=SWALLOWED)])

    assert "swallowed" in books.faults(Found(chains={}, rows={}, statuses={}))[0]
