"""Factories of workers: functions and blocks of the application, run in the event loop of their workers."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

import click

from ..errors import InvalidArgument, OtelqError
from ..worker import Worker
from .targets import Factory
from .user_errors import described


class FactoryRaised(click.UsageError):
    """The code of a factory raised. Unlike a wrong target it may work at another time."""


@asynccontextmanager
async def made_by(factory: Factory, *, path: str) -> AsyncGenerator[Worker]:
    """
    Yield the worker that a factory makes; then leave the factory's block, if it has one.

    Raises:
        click.UsageError: the factory raises, or makes no worker.
        OtelqError: the database cannot be used, or the factory's block raises when it is left.
    """
    block = await _begin(factory, path)
    worker = block if isinstance(block, Worker) else await _enter(block, path)
    if worker.is_running:
        raise click.UsageError(f"{path!r} yields a worker that is running; yield it without `async with` around it")
    try:
        yield worker
    finally:
        if not isinstance(block, Worker):
            await _leave(block, path)


async def _begin(factory: Factory, path: str) -> Worker | AbstractAsyncContextManager[object]:
    """Call the factory; return the worker that it returns, or the block that yields one."""
    try:
        made: object = factory
        if not isinstance(factory, AbstractAsyncContextManager):
            made = asynccontextmanager(factory)() if inspect.isasyncgenfunction(factory) else factory()
        if inspect.isawaitable(made):
            made = await made
    except Exception as error:
        raise _raised(error, path) from error
    if isinstance(made, Worker | AbstractAsyncContextManager):
        return cast("Worker | AbstractAsyncContextManager[object]", made)
    raise _no_worker(path, "returns", made)


async def _enter(block: AbstractAsyncContextManager[object], path: str) -> Worker:
    try:
        made = await block.__aenter__()
    except Exception as error:
        if isinstance(error, RuntimeError) and error.args == ("generator didn't yield",):
            raise click.UsageError(f"{path!r} yields nothing; yield the worker, once") from error
        raise _raised(error, path) from error
    if isinstance(made, Worker):
        return made
    await _leave(block, path)
    raise _no_worker(path, "yields", made)


async def _leave(block: AbstractAsyncContextManager[object], path: str) -> None:
    try:
        await block.__aexit__(None, None, None)
    except Exception as error:
        raise OtelqError(f"{path} raised when its worker had stopped: {described(error)}") from error


def _raised(error: Exception, path: str) -> Exception:
    if isinstance(error, OtelqError) and not isinstance(error, InvalidArgument):
        return error  # about the database, and not about the code of the application
    return FactoryRaised(f"{path!r} raised {described(error)}")


def _no_worker(path: str, verb: str, made: object) -> click.UsageError:
    return click.UsageError(
        f"{path!r} {verb} a value of type {type(made).__qualname__}; a factory gives an otelq.Worker"
    )
