"""One run: workers, clients and faults for a while, then a drain, then the checks."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

from otelq.adapters import is_private
from otelq.client import Client
from otelq.connect import connect
from otelq.errors import InvalidArgument
from otelq.model import Verb

from .. import audit
from ..drivers import check_driver
from ..invariants import Violation
from . import tables
from .aftermath import Aftermath
from .attendance import Attendance, merged
from .chain_logs import chain_logs
from .checks import Facts, check
from .clients import Feeder
from .drains import drain
from .faults import FAULTS, Fault, Network, Server, network_for
from .fleet import Command, Fleet
from .handlers import MEANT, fragile_jobs, jobs
from .knowledge import Knowledge
from .plan import LEASE, REAP_INTERVAL, TorturePlan
from .report import TortureReport
from .scene import DatabaseView, RunScene
from .strikes import Striker
from .work import is_sqlite, options_for, reaching

_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")

KINDS: Final = ("postgresql", "postgres", "sqlite")
"""The databases that triggers are written for, by the scheme of the URL."""
LONGEST_EFFECT: Final = 0.08
LONGEST_EFFECT_ON_SQLITE: Final = 0.002
"""Seconds; an open completion holds the only write lock."""


async def torture(
    url: str, plan: TorturePlan, *, server: Server | None = None, faults: Sequence[Fault] = FAULTS
) -> TortureReport:
    """
    Torture the database at a URL, and return the report.

    Works in the schema of the plan (on SQLite: tables with that prefix), which it leaves empty, and in tables named
    ``otelq_torture_...`` where tables are made by default, which it drops. Worker processes are started on this
    machine.

    Args:
        url: of PostgreSQL, or a file of SQLite.
        plan: what is done.
        server: the database's server where that may be broken too.
        faults: what goes wrong; those that do not suit the database are left out.

    Raises:
        InvalidArgument: jobs are stored in the schema, or it is another kind of database.
        Unavailable: the database cannot be reached.
    """
    if url.partition(":")[0].lower() not in KINDS or is_private(url):
        raise InvalidArgument("url", "names nothing that processes share; give one of PostgreSQL or of a SQLite file")
    for driver in plan.drivers:
        check_driver(url, driver)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otelq-torture-")))
        network: Network = network_for(url, seed=plan.seed)
        stack.enter_context(network)
        view = await stack.enter_async_context(DatabaseView(lambda: server.url if server else url, plan.schema))
        await stack.enter_async_context(_prepared(url, view, plan.schema))
        fleet = stack.enter_context(Fleet(_command(network.url, folder, plan), folder))
        scene = RunScene(Random(plan.seed), fleet, network, server, view, LEASE, REAP_INTERVAL)
        return await _Run(scene, plan, faults).run()


class _Run:
    def __init__(self, scene: RunScene, plan: TorturePlan, faults: Sequence[Fault]) -> None:
        self._scene = scene
        self._plan = plan
        self._attendance = Attendance(scene.fleet)
        self._striker = Striker(faults, scene, pace=plan.pace, before_each=self._attendance.wait_for_worker)
        self._knowledge = Knowledge()
        self._report = TortureReport(plan=plan, database="SQLite" if is_sqlite(scene.network.url) else "PostgreSQL")
        self._report.absent = [fault.name for fault in faults if fault not in self._striker.suited]

    async def run(self) -> TortureReport:
        begun = time.monotonic()
        for _ in range(self._plan.workers):
            self._scene.fleet.start()
        await asyncio.to_thread(self._scene.fleet.wait_until_up)
        keeping = asyncio.create_task(self._attendance.keep())
        try:
            await self._torture()
            await self._drain()
        finally:
            keeping.cancel()
        await self._end_workers()
        self._report.seconds = time.monotonic() - begun
        await self._check(await self._scene.view.client())
        return self._report

    async def _torture(self) -> None:
        """Feed and strike for the planned time."""
        ended = asyncio.Event()
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(self._client(driver)) for driver in self._plan.drivers]
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for number in range(self._plan.feeders):
                tasks.create_task(self._feeder(clients[number % len(clients)], number).feed(ended))
            await self._striker.strike_for(self._plan.seconds)
            ended.set()

    @asynccontextmanager
    async def _client(self, driver: str | None) -> AsyncGenerator[Client]:
        url = self._scene.network.url
        async with AsyncExitStack() as stack:
            target = await stack.enter_async_context(reaching(url, driver))
            client = connect(target, schema=self._plan.schema, migrate=False, **options_for(url))
            yield await stack.enter_async_context(client)

    def _feeder(self, client: Client, number: int) -> Feeder:
        return Feeder(
            client,
            chance=Random(f"{self._plan.seed} {number}"),
            knowledge=self._knowledge,
            plan=self._plan,
            longest_effect=LONGEST_EFFECT_ON_SQLITE if is_sqlite(self._scene.network.url) else LONGEST_EFFECT,
        )

    async def _drain(self) -> None:
        """Let all open chains end."""
        begun = time.monotonic()
        left = await drain(await self._scene.view.client(), patience=self._plan.patience)
        self._report.drain_seconds = time.monotonic() - begun
        self._report.violations += [Violation("I11", "chains that ended", id, 0, "it is still open") for id in left]

    async def _end_workers(self) -> None:
        """Stop the workers gracefully; one that does not stop is a finding."""
        try:
            await asyncio.to_thread(self._scene.fleet.end)
        except (RuntimeError, TimeoutError) as error:
            self._report.unclean_exits.append(str(error))

    def _facts(self) -> Facts:
        known = self._knowledge
        return Facts(
            committed=frozenset(known.committed),
            rolled_back=frozenset(known.rolled_back),
            leases=dict.fromkeys((definition.name for one in (jobs, fragile_jobs) for definition in one), LEASE),
            reap_interval=REAP_INTERVAL,
            outages=merged([*self._striker.outages, *self._attendance.absences]),
            crashes=self._striker.crashes,
            done_in_time=not self._report.violations,
        )

    async def _check(self, client: Client) -> None:
        report, known = self._report, self._knowledge
        changes = await audit.changes(client, self._plan.schema)
        deleted = frozenset(
            str(change.chain_id) for change in changes if (change.table, change.op) == ("job", "DELETE")
        )
        aftermath = Aftermath(client, schema=self._plan.schema, knowledge=known, deleted=deleted)
        report.violations += check(changes, self._facts()) + await aftermath.violations()
        report.chain_logs = chain_logs(report.violations, changes)
        report.statuses, report.effects = await aftermath.statuses(), await aftermath.effects()
        report.verbs.update(str(moved.verb) for moved in audit.moves(changes) if moved.verb is not Verb.RENEW)
        report.errors.update(_errors(changes))
        report.changes, report.chains = len(changes), len(known.committed)
        report.in_doubt, report.rolled_back = len(known.doubtful), len(known.rolled_back)
        report.actions, report.refusals = known.actions, known.refusals
        report.faults = self._striker.counted
        report.unclean_exits += self._striker.deaths


def _errors(changes: Sequence[audit.Change]) -> Iterator[str]:
    """Yield the errors of attempts and jobs, with the text where the workload does not raise them on purpose."""
    for change in changes:
        if change.op == "INSERT" and change.table in ("attempt", "outcome") and change.row["error_type"]:
            kind, text = change.row["error_type"], change.row["error_text"]
            text_shown = "" if kind.rpartition(".")[2] in MEANT else f" ({_ID.sub('...', text.splitlines()[0])})"
            yield f"{change.table} of {kind}{text_shown}"


@asynccontextmanager
async def _prepared(url: str, view: DatabaseView, schema: str) -> AsyncGenerator[None]:
    """Prepare an empty schema with the audit and the tables of the workload; empty it again however the run ends."""
    async with connect(url, schema=schema) as client:
        if (await client.chains(limit=1)).items:
            raise InvalidArgument("schema", f"{schema} holds jobs; drop it if nobody needs them, and run again")
        await tables.create(client, schema)
        await audit.install(client, schema, also=[tables.HISTORY])
    try:
        yield
    finally:
        client = await view.client()
        await audit.uninstall(client, schema, also=[tables.HISTORY])
        await tables.drop(client, schema)
        await client.engine.state.truncate_all()


def _command(url: str, folder: Path, plan: TorturePlan) -> Command:
    module = f"{__name__.rpartition('.')[0]}.work"
    options = ("--schema", plan.schema, "--concurrency", str(plan.concurrency))

    def command(name: str) -> Sequence[str]:
        driver = plan.drivers[int(name.removeprefix("w")) % len(plan.drivers)]  # those that replace the dead as well
        return ("-m", module, url, name, str(folder), *options, *(("--driver", driver) if driver else ()))

    return command
