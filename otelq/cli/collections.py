"""Imports the collections of jobs that a command line names as ``module:attribute``."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType

import click

from ..definitions import Jobs


def load_collections(paths: Sequence[str]) -> list[Jobs]:
    """
    Return the collections that ``paths`` name; modules in the current folder are found too.

    Raises:
        click.UsageError: a path cannot be read, its module cannot be imported, or it names no collection.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return [_load(path) for path in paths]


def _load(path: str) -> Jobs:
    module_name, colon, attribute = path.partition(":")
    if not (module_name and colon and attribute):
        raise click.UsageError(f"{path!r} names no collection of jobs; give module:attribute, such as shop.orders:jobs")
    module = _import(module_name)
    if not hasattr(module, attribute):
        raise click.UsageError(f"module {module_name!r} has no {attribute!r}{_collections_in(module)}")
    found: object = getattr(module, attribute)
    if not isinstance(found, Jobs):
        kind = type(found).__qualname__
        raise click.UsageError(f"{path!r} is of type {kind}, not a collection otelq.Jobs(){_collections_in(module)}")
    return found


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
    if isinstance(error, SyntaxError):
        problem, file, line = error.msg, error.filename, error.lineno
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        problem, file, line = str(error), frame.filename, frame.lineno
    kind = type(error).__qualname__
    return click.UsageError(f"module {name!r} cannot be imported: {kind}: {problem} ({file}, line {line})")


def _collections_in(module: ModuleType) -> str:
    names = [name for name, value in vars(module).items() if isinstance(value, Jobs)]
    return f"; collections in it: {', '.join(sorted(names))}" if names else "; there is no collection in it"
