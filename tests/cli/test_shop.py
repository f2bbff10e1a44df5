"""The shop of `examples/shop`: its web application and its worker, as two processes on PostgreSQL."""

from __future__ import annotations

import json
import re
import runpy
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import httpx
import psycopg
import pytest

from otelq.testing.otlp import OtlpReceiver, attributes_of

from ..servers import PostgresServer
from .pages import Page
from .shell import ROOT, environment, run

FOLDER = ROOT / "examples/shop"
README = Page(FOLDER / "README.md")
MIGRATE, WEB, WORKER, ORDER = (
    next(command for command in README.commands if mark in command)
    for mark in ("shop.migrate", "uvicorn", "otelq worker", "curl")
)
[MANIFEST] = [text for kind, text in Page(ROOT / "docs/guides/production.md").blocks if kind == "yaml"]
OPTIONS = (
    re.findall(r"args: \[otelq, worker, \"shop.app:worker\", (.*)\]", MANIFEST)[0].replace('"', "").replace(",", "")
)
"""The options with which the production guide deploys a worker."""
MUG: dict[str, Any] = json.loads(re.findall(r"-d '(.*)'", ORDER)[0])
"""The order of the README, with a card that is charged at the second attempt."""
[README_TRACE] = [text for kind, text in README.blocks if kind == "text"]
TRACES = runpy.run_path(str(FOLDER / "local.py"))["traces"]

Wait: TypeAlias = Callable[[Callable[[], bool]], None]


class Service:
    """One process of the shop."""

    def __init__(self, command: str, *, log: Path, variables: dict[str, str], wait_until: Wait) -> None:
        self._log = log
        self._wait_until = wait_until
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command.split(), cwd=FOLDER, env=environment(**variables), stdout=output, stderr=subprocess.STDOUT
            )

    def wait_for(self, pattern: str) -> str:
        """Return what the pattern matches in the output, once it is there."""
        self._wait_until(lambda: bool(re.search(pattern, self.output)) or self.process.poll() is not None)
        found = re.search(pattern, self.output)
        assert found, self.output
        return found[0]

    @property
    def output(self) -> str:
        return self._log.read_text()

    def stop(self, number: signal.Signals) -> int:
        """Send a signal and return the status with which the process ends."""
        self.process.send_signal(number)
        return self.process.wait()


class Shop:
    """The shop: its processes, its database, and the receiver of its traces."""

    def __init__(self, url: str, *, receiver: OtlpReceiver, folder: Path, wait_until: Wait) -> None:
        self.receiver = receiver
        self._url = url
        self._folder = folder
        self._wait_until = wait_until
        self._variables = {
            "DATABASE_URL": url.replace("postgresql:", "postgresql+asyncpg:"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.grpc_endpoint,
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "60000",  # so that a process which stops must send its spans itself
        }
        migrated = run(*MIGRATE.split(), folder=FOLDER, **self._variables)
        assert migrated.returncode == 0, migrated.stderr
        self._services: dict[str, Service] = {}
        self._lock = Lock()  # requests may come from several threads

    @property
    def web(self) -> Service:
        """The web application; it is started if it does not run."""
        return self._started(f"{WEB} --port 0")

    @property
    def worker(self) -> Service:
        """The worker; it is started if it does not run."""
        return self._started(f"{WORKER} {OPTIONS.replace('8080', '127.0.0.1:0')}")

    def _started(self, command: str) -> Service:
        with self._lock:
            service = self._services.get(command)
            if service is None or service.process.poll() is not None:
                log = self._folder / f"{len(list(self._folder.iterdir()))}.log"
                service = Service(command, log=log, variables=self._variables, wait_until=self._wait_until)
                self._services[command] = service
            return service

    def kill(self) -> None:
        """End both processes."""
        for service in self._services.values():
            service.stop(signal.SIGKILL)

    def place(self, *, key: str | None = None, **changes: Any) -> httpx.Response:
        """Place the order of the README, with a card that is charged at once."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.request("POST", "/orders", json={**MUG, "card": "good", **changes}, headers=headers)

    def look(self, id: str) -> Any:
        return self.request("GET", f"/orders/{id}").json()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        _ = self.worker  # it starts while the web application does
        return httpx.request(method, self.web.wait_for(r"http://127\.0\.0\.1:\d+") + path, timeout=30, **options)

    def wait_for_step(self, id: str, status: str) -> Any:
        """Return an order once its last job has this status."""
        self._wait_until(lambda: bool(self.look(id)["step"]["status"] == status))
        return self.look(id)

    def rows(self, query: str, *values: str) -> list[Any]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(query.encode(), values).fetchall()


@pytest.fixture(scope="module")
def shop(postgres18: PostgresServer, tmp_path_factory: pytest.TempPathFactory, wait_until: Wait) -> Iterator[Shop]:
    """A shop that is open: its two processes run, as its README starts them."""
    url = postgres18.create_database()
    with OtlpReceiver() as receiver:
        shop = Shop(url, receiver=receiver, folder=tmp_path_factory.mktemp("shop"), wait_until=wait_until)
        yield shop
        shop.kill()
    postgres18.drop_database(url)


def test_an_order_is_shipped_although_its_payment_failed_once(shop: Shop) -> None:
    id = shop.place(card=MUG["card"]).json()["id"]
    assert shop.wait_for_step(id, "completed")["status"] == "shipped"
    attempts = "SELECT verb, error_type FROM otelq.attempt JOIN orders ON chain_id = chain::uuid WHERE id = %s"
    assert shop.rows(attempts, id) == [("retry", "ConnectionError")]


def test_a_repeat_with_the_same_key_gives_the_same_order(shop: Shop) -> None:
    with ThreadPoolExecutor(4) as threads:
        placing = [threads.submit(shop.place, key="17") for _ in range(4)]
        answers = [one.result() for one in placing]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert shop.place(key="18").status_code == 201


def test_a_refused_order_leaves_neither_a_row_nor_a_chain(shop: Shop) -> None:
    everything = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM otelq.job WHERE type = 'order.charge')"
    before = shop.rows(everything)
    assert shop.place(item="hat").status_code == 422
    assert shop.rows(everything) == before


def test_an_order_with_a_declined_card_fails_at_once_and_says_why(shop: Shop) -> None:
    order = shop.wait_for_step(shop.place(card="empty").json()["id"], "failed")
    assert (order["step"]["type"], order["step"]["attempt"]) == ("order.charge", 1)
    assert "there is no money" in order["step"]["error"]


def test_a_cancel_reaches_the_worker_that_packs(shop: Shop) -> None:
    stock = "SELECT stock FROM products WHERE name = 'tea'"
    before = shop.rows(stock)
    id = shop.place(item="tea", quantity=1000).json()["id"]
    shop.worker.wait_for(f"packing order {id}")
    assert shop.request("POST", f"/orders/{id}/cancel").json()["status"] == "cancelled"
    shop.worker.wait_for(f"stopped packing order {id}")
    assert shop.look(id)["step"]["status"] == "cancelled"
    assert shop.rows(stock) == before
    assert shop.request("POST", f"/orders/{id}/cancel").status_code == 409


def test_an_order_is_shipped_once_although_its_worker_was_killed(shop: Shop) -> None:
    id = shop.place(quantity=10).json()["id"]
    worker = shop.worker
    worker.wait_for(f"packing order {id}")
    worker.stop(signal.SIGKILL)
    shop.worker.wait_for(f"packing order {id}")
    assert shop.wait_for_step(id, "completed")["step"]["attempt"] == 2
    assert shop.rows("SELECT count(*) FROM parcels WHERE order_id = %s", id) == [(1,)]


def test_both_processes_stop_in_order_and_send_one_trace_from_the_request_to_the_parcel(shop: Shop) -> None:
    web, worker = shop.web, shop.worker
    id = shop.place(card=MUG["card"], quantity=10).json()["id"]
    worker.wait_for(f"packing order {id}")
    assert worker.stop(signal.SIGTERM) == 0
    assert shop.rows("SELECT status FROM orders WHERE id = %s", id) == [("shipped",)]
    assert web.stop(signal.SIGTERM) == -signal.SIGTERM  # uvicorn ends itself by the signal, after it has stopped
    assert "Finished server process" in web.output
    assert names_of(drawn(shop, id)) == names_of(README_TRACE)


def test_the_worker_passes_the_probes_of_the_production_guide(shop: Shop, wait_until: Wait) -> None:
    _, _, address = shop.worker.wait_for(r"health is answered at [\d.:]+").rpartition(" ")
    live, ready = [f"http://{address}{path}" for path in re.findall(r"path: (/\w+)", MANIFEST)]
    assert httpx.get(live).status_code == 200
    wait_until(lambda: httpx.get(ready).status_code == 200)


def test_the_compose_file_starts_the_same_commands_as_the_readme() -> None:
    services = (FOLDER / "compose.yaml").read_text()
    assert [command for command in (MIGRATE, WEB, WORKER) if command not in services] == []


def drawn(shop: Shop, id: str) -> str:
    """Return the trace of an order as `local.py` draws it."""
    [(chain,)] = shop.rows("SELECT chain FROM orders WHERE id = %s", id)
    [trace_id] = {
        span.trace_id
        for span in shop.receiver.spans()
        if span.name == "enqueue order.charge" and attributes_of(span)["otelq.chain.id"] == chain
    }
    return "\n".join(dict(TRACES(shop.receiver.spans()))[trace_id])


def names_of(drawing: str) -> list[str]:
    """Return the names of the spans in a drawing, top down."""
    return [name for line in drawing.splitlines() for name in re.findall(r"^ *(.*?)  +\d", line)]
