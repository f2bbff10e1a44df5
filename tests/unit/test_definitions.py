"""Job types, handlers and collections: how they are declared, and what is said of wrong declarations."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

import pytest

import otelq
from otelq.definitions import merge
from otelq.testing import attempt as make_attempt


@dataclass(frozen=True)
class Mail:
    to: str


class Sent(TypedDict):
    id: int


def types_of(job_type: otelq.JobType[Any, Any]) -> tuple[Any, Any]:
    return job_type.signature.input.type, job_type.signature.output.type


def test_types_come_from_the_declaration_the_subscript_or_the_annotations() -> None:
    jobs = otelq.Jobs()

    @jobs.job("annotated")
    async def annotated(attempt: otelq.Attempt[Mail]) -> Sent:
        return {"id": 1}

    assert types_of(otelq.JobType("declared", input=Mail, output=Sent)) == (Mail, Sent)
    assert types_of(otelq.JobType[Mail, Sent | None]("subscripted")) == (Mail, Sent | None)
    assert types_of(annotated) == (Mail, Sent)


def test_continuations_in_the_annotation_stand_for_what_the_chain_yields() -> None:
    jobs = otelq.Jobs()

    @jobs.job("only-continues")
    async def continues(attempt: otelq.Attempt[None]) -> otelq.Continue[Sent]:
        raise NotImplementedError

    @jobs.job("both")
    async def both(attempt: otelq.Attempt[int | None]) -> Sent | otelq.Continue[Sent] | None:
        raise NotImplementedError

    assert types_of(continues) == (type(None), Sent)
    assert types_of(both) == (int | None, Sent | None)


def test_annotations_are_resolved_when_they_are_first_needed() -> None:
    assert types_of(early) == (Late, Late)


early_jobs = otelq.Jobs()


@early_jobs.job("early")
async def early(attempt: otelq.Attempt[Late]) -> Late:
    return attempt.input


@dataclass
class Late:
    """Defined after the handler that names it."""


def test_a_type_declared_apart_keeps_its_options_with_its_handler() -> None:
    declared = otelq.JobType("apart", input=Mail, output=Sent, queue="mail", trace="link", entry=False)
    jobs = otelq.Jobs()

    @jobs.handles(declared)
    async def handler(attempt: otelq.Attempt[Mail]) -> Sent:
        return {"id": 1}

    assert (handler.name, handler.queue, handler.trace, handler.entry) == ("apart", "mail", "link", False)
    assert types_of(handler) == (Mail, Sent)


def test_a_subscripted_type_keeps_its_types_with_its_handler() -> None:
    declared = otelq.JobType[Mail, Sent | None]("apart")

    @otelq.Jobs().handles(declared)
    async def handler(attempt: otelq.Attempt[Mail]) -> Sent | None:
        return None

    assert types_of(handler) == (Mail, Sent | None)


async def test_a_decorated_handler_can_be_called_as_the_function_it_is() -> None:
    @otelq.Jobs().job("callable")
    async def handler(attempt: otelq.Attempt[Mail]) -> str:
        return f"{attempt.input.to}, attempt {attempt.number}, {attempt.tags['tenant']}"

    given = make_attempt(Mail("ada"), number=2, tags={"tenant": "acme"})
    assert await handler(given) == "ada, attempt 2, acme"


async def test_a_type_without_a_handler_cannot_be_called() -> None:
    with pytest.raises(TypeError, match="declared without a handler"):
        await otelq.JobType("declared", input=Mail, output=Sent)(make_attempt(Mail("ada")))


async def test_an_attempt_for_a_test_gives_what_it_was_given() -> None:
    declared = otelq.JobType("fetch", input=int, output=int)
    given = make_attempt(
        None, type="count", blockers=[(declared, 1), (declared, 2)], provide=[Mail("ada")], tx="a connection"
    )
    assert given.type == "count"
    assert given.blockers(declared) == [1, 2]
    assert given.get(Mail) == Mail("ada")
    assert await given.completion() == "a connection"
    async with given.transaction() as tx:
        assert tx == "a connection"


def test_an_attempt_for_a_test_says_what_it_was_not_given() -> None:
    given = make_attempt(None)
    with pytest.raises(otelq.InvalidArgument, match="client"):
        _ = given.client
    with pytest.raises(otelq.InvalidArgument, match="nothing of Mail provided"):
        given.get(Mail)


async def plain(attempt: otelq.Attempt[Mail], greeting: str = "") -> str:
    return greeting + attempt.input.to


class Handler:
    """A handler that is an object."""

    async def __call__(self, attempt: otelq.Attempt[Mail]) -> str:
        return attempt.input.to


def wrapped(handler: Any) -> Any:
    @functools.wraps(handler)
    async def wrapper(*given: Any, **options: Any) -> Any:
        return await handler(*given, **options)

    return wrapper


@pytest.mark.parametrize(
    "handler",
    [plain, Handler(), Handler().__call__, wrapped(plain), functools.partial(plain, greeting="hello ")],
    ids=["function", "object", "method", "decorated", "partial"],
)
async def test_whatever_is_a_coroutine_function_can_be_a_handler(handler: Any) -> None:
    job_type = otelq.Jobs().job("any")(handler)
    assert types_of(job_type) == (Mail, str)
    assert "ada" in str(await job_type(make_attempt(Mail("ada"))))


def blocking(attempt: otelq.Attempt[Mail]) -> str:
    return attempt.input.to


def awaitable(handler: Any) -> Any:
    @functools.wraps(handler)
    async def wrapper(*given: Any, **options: Any) -> Any:
        return await asyncio.to_thread(handler, *given, **options)

    return wrapper


def test_an_async_def_round_a_def_runs_in_the_event_loop() -> None:
    jobs = otelq.Jobs()
    jobs.job("any")(awaitable(blocking))
    assert [definition.executor for definition in jobs] == ["loop"]


class Blocking:
    """A handler that is an object and blocks."""

    def __call__(self, attempt: otelq.Attempt[Mail]) -> str:
        return attempt.input.to


async def yields(attempt: otelq.Attempt[Mail]) -> Any:
    yield attempt.input.to


def yields_too(attempt: otelq.Attempt[Mail]) -> Any:
    yield attempt.input.to


async def bare(attempt):  # type: ignore[no-untyped-def]  # pyright: ignore[reportMissingParameterType]  # on purpose
    pass


async def unfinished(attempt: otelq.Attempt[Mail]):  # type: ignore[no-untyped-def]  # on purpose
    pass


async def unknown_name(attempt: otelq.Attempt[Nowhere]) -> str:  # type: ignore[name-defined]  # pyright: ignore[reportUndefinedVariable]  # noqa: F821  # on purpose
    return ""


async def unknown_attribute(attempt: otelq.Attempt[otelq.Nowhere]) -> str:  # type: ignore[name-defined]  # pyright: ignore[reportAttributeAccessIssue]  # on purpose
    return ""


@pytest.mark.parametrize("handler", [bare, unfinished, unknown_name, unknown_attribute])
async def test_a_worker_says_at_once_which_annotations_cannot_be_used(handler: Any) -> None:
    jobs = otelq.Jobs()
    jobs.job("misdeclared")(handler)
    with pytest.raises(otelq.InvalidArgument):
        otelq.Worker(otelq.connect("memory://"), jobs)


@pytest.mark.parametrize("handler", [blocking, Blocking()], ids=["function", "object"])
async def test_a_function_that_is_no_coroutine_function_runs_in_a_thread_and_can_be_called(handler: Any) -> None:
    jobs = otelq.Jobs()
    job_type = jobs.job("blocking")(handler)
    [definition] = jobs
    assert definition.executor == "thread"
    assert types_of(job_type) == (Mail, str)
    assert await job_type(make_attempt(Mail("ada"))) == "ada"


@pytest.mark.parametrize("handler", [yields, yields_too, "no function"])
def test_what_gives_no_single_output_is_no_handler(handler: Any) -> None:
    with pytest.raises(otelq.InvalidArgument, match="handler"):
        otelq.Jobs().job("yields")(handler)


def test_a_function_of_a_module_may_run_in_a_process() -> None:
    jobs = otelq.Jobs()
    jobs.job("apart", executor="process")(blocking)
    assert [definition.executor for definition in jobs] == ["process"]


def test_what_a_process_could_not_import_by_name_is_refused_at_once() -> None:
    def nested(attempt: otelq.Attempt[Mail]) -> str:
        return ""

    unnamed: Callable[[otelq.Attempt[Mail]], str] = lambda attempt: ""  # noqa: E731  # it is about such a function
    unfit: list[Any] = [nested, unnamed, Blocking(), functools.partial(blocking)]
    for handler in unfit:
        with pytest.raises(otelq.InvalidArgument, match=r"executor: .* cannot be imported by name"):
            otelq.Jobs().job("apart", executor="process")(handler)
    with pytest.raises(otelq.InvalidArgument, match=r"executor: .* event loop; declare it with def"):
        otelq.Jobs().job("apart", executor="process")(plain)


@pytest.mark.parametrize(
    "options, argument",
    [
        ({"executor": "thread"}, "executor"),
        ({"soft_timeout": 0}, "soft_timeout"),
        ({"soft_timeout": 3600}, "soft_timeout"),
        ({"soft_timeout": 5, "timeout": 5}, "soft_timeout"),
        ({"timeout": 0}, "timeout"),
        ({"lease": 0.5}, "lease"),
        ({"concurrency": 0}, "concurrency"),
        ({"retry": 5}, "retry"),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(options: dict[str, Any], argument: str) -> None:
    with pytest.raises(otelq.InvalidArgument) as caught:
        otelq.Jobs().job("any", **options)(plain)
    assert caught.value.argument == argument


@pytest.mark.parametrize("chains", [(), ("0198c0de",), (otelq.AllOf(), otelq.AllOf())])
def test_a_job_can_only_wait_for_chains(chains: Any) -> None:
    with pytest.raises(otelq.InvalidArgument, match="chains"):
        otelq.WaitFor(*chains)


def test_a_decorator_without_its_name_is_refused_at_once() -> None:
    async def handler(attempt: otelq.Attempt[int]) -> None: ...

    with pytest.raises(otelq.InvalidArgument, match=r'name: is missing; write @jobs\.job\("name"\) over .*handler'):
        otelq.Jobs().job(handler)  # type: ignore[arg-type]


def test_a_name_is_declared_once_in_a_collection_and_in_all_that_a_worker_serves() -> None:
    first, second = otelq.Jobs(), otelq.Jobs()
    first.job("mail")(plain)
    second.job("mail")(plain)
    with pytest.raises(otelq.InvalidArgument, match="declared twice"):
        first.job("mail")(plain)
    with pytest.raises(otelq.InvalidArgument, match="two collections"):
        merge([first, second])


def test_an_alias_is_a_name_of_the_type_beside_its_own() -> None:
    jobs = otelq.Jobs()
    declared = otelq.JobType("charge-card", aliases=["charge", "pay"], input=Mail, output=str)
    handled, decorated = jobs.handles(declared)(plain), jobs.job("mail", aliases=("send-mail",))(plain)
    assert declared.names == handled.names == ("charge-card", "charge", "pay")
    assert (decorated.aliases, otelq.JobType("plain").names) == (("send-mail",), ("plain",))
    names = {name: one.name for name, one in merge([jobs]).items()}
    assert names == dict.fromkeys(declared.names, "charge-card") | {"mail": "mail", "send-mail": "mail"}


@pytest.mark.parametrize(
    "aliases", [["charge-card"], ["charge", "charge"], [""], ["two\nlines"], ["x" * 201], [7], "charge", 7]
)
def test_aliases_are_other_names_each_once(aliases: Any) -> None:
    with pytest.raises(otelq.InvalidArgument, match="aliases"):
        otelq.JobType("charge-card", aliases=aliases)


def test_two_types_that_share_a_name_are_both_named_in_the_error() -> None:
    first, second = otelq.Jobs(), otelq.Jobs()
    first.job("charge-card", aliases=["charge"])(plain)
    second.job("pay", aliases=["charge"])(plain)
    both = r"'charge' is a name of JobType\('charge-card'\) and of JobType\('{}'\)"
    with pytest.raises(otelq.InvalidArgument, match=both.format("pay")):
        merge([first, second])
    with pytest.raises(otelq.InvalidArgument, match=both.format("charge")):
        first.job("charge")(plain)
    assert len(first) == 1


def test_a_collection_knows_its_definitions_and_their_options() -> None:
    jobs = otelq.Jobs()
    jobs.job("one", lease=5, timeout=None, concurrency=2)(plain)
    jobs.job("two")(plain)
    one, two = jobs
    assert (len(jobs), one.name, one.lease, one.timeout, one.concurrency) == (2, "one", 5.0, None, 2)
    assert (two.lease, two.timeout, two.concurrency, two.retry) == (30.0, 3600.0, None, otelq.RetryPolicy())


def test_fail_keeps_its_reason_and_delays_are_seconds() -> None:
    assert otelq.Fail("because").reason == "because"
    assert (otelq.RetryAfter(5).delay, otelq.Snooze(0.5).delay) == (5.0, 0.5)
