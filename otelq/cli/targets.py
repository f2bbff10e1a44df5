"""The targets of ``otelq worker``: workers, factories of workers and collections of jobs, as ``module:attribute``."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import TypeAlias, cast

import click

from ..client import Client
from ..definitions import Jobs
from ..worker import Worker
from .user_errors import described

Factory: TypeAlias = Callable[[], object] | AbstractAsyncContextManager[object]
"""A function of the application that makes a worker, or a block that yields one."""

ACCEPTED = "an otelq.Worker, a function or async context manager that yields one, or a collection otelq.Jobs()"


@dataclass(frozen=True, slots=True)
class Target:
    """One target of the command line, imported and checked."""

    path: str
    value: Worker | Jobs | Factory


def load_targets(paths: Sequence[str]) -> list[Target]:
    """
    Return the targets that ``paths`` name; modules in the current folder are found too.

    Raises:
        click.UsageError: a path cannot be read, its module cannot be imported, or it names something else.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return [_load(path) for path in paths]


def _load(path: str) -> Target:
    module_name, colon, attributes = path.partition(":")
    if not (module_name and colon and attributes):
        raise click.UsageError(f"{path!r} names no target; give module:attribute, such as shop.app:worker")
    module = _import(module_name)
    return Target(path, _checked(path, _find(module, attributes), module))


def _find(module: ModuleType, attributes: str) -> object:
    found: object = module
    for depth, attribute in enumerate(names := attributes.split(".")):
        if not hasattr(found, attribute):
            owner = ".".join((module.__name__, *names[:depth]))
            kind = "module" if found is module else type(found).__qualname__
            raise click.UsageError(f"{kind} {owner!r} has no {attribute!r}{_targets_in(module)}")
        found = getattr(found, attribute)
    return found


def _checked(path: str, found: object, module: ModuleType) -> Worker | Jobs | Factory:
    if isinstance(found, Client):
        raise click.UsageError(f"{path!r} is an otelq.Client; give a worker of it, otelq.Worker(client, jobs)")
    if isinstance(found, Worker | Jobs | AbstractAsyncContextManager):
        return cast("Worker | Jobs | Factory", found)
    if inspect.isclass(found) or not callable(found):
        raise _wrong_type(path, found, module)
    if not _takes_no_arguments(found):
        if not inspect.isroutine(found):  # such as a web application, which is called by its server
            raise _wrong_type(path, found, module)
        raise click.UsageError(f"{path!r} needs arguments, {inspect.signature(found)}; a factory takes none")
    return found


def _takes_no_arguments(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    except ValueError:
        pass  # a function of C may have no signature to look at
    return True


def _wrong_type(path: str, found: object, module: ModuleType) -> click.UsageError:
    kind = f"the class {found.__qualname__}" if inspect.isclass(found) else f"of type {type(found).__qualname__}"
    return click.UsageError(f"{path!r} is {kind}, not {ACCEPTED}{_targets_in(module)}")


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The module itself is missing, or one that it imports: only the first is a wrong path.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _import_error(name, error) from error
        raise click.UsageError(
            f"there is no module {error.name!r} in {os.getcwd()}, nor is one installed under that name"
        ) from error
    except Exception as error:  # importing a module of an application may raise anything
        raise _import_error(name, error) from error


def _import_error(name: str, error: Exception) -> click.UsageError:
    return click.UsageError(f"module {name!r} cannot be imported: {described(error)}")


def _targets_in(module: ModuleType) -> str:
    found = sorted(_names_of_targets(module))
    return f"; in the module there are {', '.join(found)}" if found else "; there is no worker or collection in it"


def _names_of_targets(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        if isinstance(value, Worker | Jobs):
            yield name
