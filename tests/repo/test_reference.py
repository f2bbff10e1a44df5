"""The reference has an entry for every public name, and describes its parameters, fields and members."""

import asyncio
import builtins
import collections.abc
import contextlib
import contextvars
import datetime
import logging
import re
import types
import typing

import pytest

import otelq
import otelq.model
import otelq.testing

from .api import Entry, entry
from .reference import ALIASES, outline, pages

NAMES = [name for page in outline().values() for name in page.names]
ENTRIES = [inner for name in NAMES for outer in [entry(name)] for inner in (outer, *outer.members)]
MODULES = (asyncio, builtins, collections.abc, contextlib, contextvars, datetime, logging, types, typing)
FOREIGN = {name for module in MODULES for name in dir(module)}
OPENTELEMETRY = {"Metric", "MeterProvider", "ScopeMetrics", "ScopeSpans", "Span", "TracerProvider"}
VALUES = {*otelq.model.__all__}
"""Values that adapters take and return."""
TYPE_VARIABLES = {"In", "In_contra", "Out", "Out_co", "T", "X"}


def test_every_exported_name_has_one_entry() -> None:
    exported = {f"otelq.{name}" for name in otelq.__all__} | {f"otelq.testing.{name}" for name in otelq.testing.__all__}
    assert len(NAMES) == len({*NAMES})
    assert exported - {*NAMES} == set()
    assert {name for name in {*NAMES} - exported if name.count(".") == 1} == set()


def test_the_pages_are_as_they_are_drawn() -> None:
    """`python -m tests.repo.reference` draws them anew."""
    assert {path.name for path, text in pages().items() if not path.exists() or path.read_text() != text} == set()


@pytest.mark.parametrize("found", ENTRIES, ids=lambda found: found.name)
def test_an_entry_begins_with_a_sentence(found: Entry) -> None:
    assert found.text.split("\n\n")[0].rstrip().endswith((".", ":"))


@pytest.mark.parametrize("found", ENTRIES, ids=lambda found: found.name)
def test_every_parameter_and_field_of_an_entry_is_described(found: Entry) -> None:
    assert [row.name for row in (*found.parameters, *found.fields) if not row.text] == []


@pytest.mark.parametrize("name", ALIASES)
def test_a_type_of_signatures_is_described(name: str) -> None:
    assert entry(name).text


def test_every_type_is_known() -> None:
    rows = (row.type for found in ENTRIES for row in (*found.parameters, *found.fields))
    texts = (*(text for found in ENTRIES for text in found.signatures), *rows)
    plain = (re.sub(r"Unpack\[\w+\]", "", text) for text in texts)  # whose options are parameters
    named = {name for text in plain for name in re.findall(r"\b[A-Z]\w*", text)}
    entries = {name.rpartition(".")[2] for name in (*NAMES, *ALIASES)}
    assert named - entries - FOREIGN - OPENTELEMETRY - VALUES - TYPE_VARIABLES == set()
