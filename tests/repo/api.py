"""The public API as it is written in the sources: signatures, fields and docstrings."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import griffe

from otelq.codec import MAX_PAYLOAD

from .tree import ROOT

INTERNAL = {
    "Attempt.with_scope",
    "Client.engine",
    "Continue.blockers",
    "JobType.signature",
    "JobType.with_handler",
    "OtlpReceiver.take",
    "RetryPolicy.delay",
    "RetryPolicy.for_exception",
    "RetryPolicy.is_spent",
    "Start.chain",
    "Start.is_named",
    "Start.is_plain",
    "Start.meta",
    "Start.request",
    "StateAdapter.refuse_inside",
    "Unavailable.in_doubt",
    "WaitFor.blockers",
}
"""Members without an underscore that are for otelq's own use."""
MADE_BY_OTELQ = {
    "Attempt",
    "AttemptRecord",
    "ChainFailed",
    "ChainRecord",
    "Client",
    "Count",
    "Explanation",
    "Failure",
    "InvalidArgument",
    "JobRecord",
    "Page",
    "ProcessFailed",
    "Reason",
    "WorkerRecord",
}
"""Classes whose constructors are not for applications."""


STARS: dict[griffe.ParameterKind | None, str] = {
    griffe.ParameterKind.var_positional: "*",
    griffe.ParameterKind.var_keyword: "**",
}
CONSTANTS = {"MAX_PAYLOAD": f"{MAX_PAYLOAD:_}"}


class Row(NamedTuple):
    """A parameter, a field or a member of an enumeration; of an error that is raised, its type and when."""

    name: str
    type: str = ""
    default: str = ""
    text: str = ""


class Entry(NamedTuple):
    """What is known of one public name, or of one method of it, which is named as in ``Client.start``."""

    name: str
    kind: str
    """``class``, ``function`` or ``attribute``."""
    signatures: tuple[str, ...]
    text: str
    parameters: tuple[Row, ...] = ()
    fields: tuple[Row, ...] = ()
    raises: tuple[Row, ...] = ()
    members: tuple[Entry, ...] = ()


def entry(name: str) -> Entry:
    """Return what is known of a public name, given as users import it: ``otelq.Client``."""
    found = _find(name.removeprefix("otelq."))
    shown = name if name.count(".") > 1 else name.removeprefix("otelq.")
    if isinstance(found, griffe.Class):
        return _class(shown, found)
    if isinstance(found, griffe.Function):
        return _function(shown, found)
    assert isinstance(found, griffe.Attribute)
    return Entry(shown, "attribute", (str(found.value),), _text(found))


def module_text(name: str) -> str:
    """Return the docstring of a module without its first paragraph."""
    found = _package()[name.removeprefix("otelq.")]
    return found.docstring.value.partition("\n\n")[2] if found.docstring else ""


@cache
def _package() -> griffe.Module:
    logging.getLogger("griffe").setLevel(logging.CRITICAL)  # an option is described with the function that takes it
    package = griffe.load("otelq", search_paths=[ROOT], docstring_parser="google")
    assert isinstance(package, griffe.Module)
    return package


def _find(name: str) -> griffe.Object:
    found = _package()[name]
    if found.is_module:  # a function beside the module of the same name
        found = _package()[f"{name}.{name.rpartition('.')[2]}"]
    return found.final_target if isinstance(found, griffe.Alias) else found


def _class(name: str, found: griffe.Class) -> Entry:
    own = [member for member in _members(found) if f"{found.name}.{member.name}" not in INTERNAL]
    methods = [member for member in own if isinstance(member, griffe.Function)]
    attributes = [member for member in own if isinstance(member, griffe.Attribute)]
    described = {member.name: _text(member) for member in attributes} | _described(found)
    made, parameters = found.members.get("__init__"), tuple[Row, ...]()
    if isinstance(made, griffe.Function):
        parameters = _parameters(made, described)
    fields = [_field(member, described) for member in attributes]
    types = {row.name: row.type for row in parameters}
    if found.name in MADE_BY_OTELQ:
        made, parameters, fields = None, (), [field._replace(default="") for field in fields]
    taken = {row.name.lstrip("*") for row in parameters}
    return Entry(
        name,
        "class",
        (_signature(made, found.name),) if isinstance(made, griffe.Function) else (),
        _text(found),
        parameters=parameters,
        fields=tuple(row._replace(type=row.type or types.get(row.name, "")) for row in fields if row.name not in taken),
        raises=_raises(found),
        members=tuple(_function(f"{found.name}.{method.name}", method) for method in methods),
    )


def _members(found: griffe.Class) -> list[griffe.Object | griffe.Alias]:
    """Return the members of a class and its bases, each name once."""
    bases = (base for base in found.resolved_bases if isinstance(base, griffe.Class))
    members = {member.name: member for base in bases for member in _members(base)}
    members |= {name: member for name, member in found.members.items() if not name.startswith("_")}
    return list(members.values())


def _function(name: str, found: griffe.Function) -> Entry:
    shown = found.overloads or [found]
    return Entry(
        name,
        "function",
        tuple(_way(found) + _signature(one, found.name) for one in shown),
        _text(found),
        parameters=_parameters(found, _described(found)),
        raises=_raises(found),
    )


def _signature(found: griffe.Function, name: str) -> str:
    text = _plain(found.signature(name=name).removesuffix(" -> None"))
    return re.sub(r" -> _\w+(\[.*\])?$", "", text)  # a decorator, whose type nobody writes


def _plain(default: str) -> str:
    """Return a default as it is at run time: what a factory makes, and the value of a constant."""
    made = re.sub(r"\(lambda: MappingProxyType\((.*?)\)\)\(\)", r"\1", default)
    return re.sub(r"(?<== )[A-Z_]{3,}|^[A-Z_]{3,}$", lambda name: CONSTANTS[name[0]], made)


def _way(found: griffe.Function) -> str:
    if any("contextmanager" in str(decorator.value) for decorator in found.decorators):
        return "async with "
    return "await " if "async" in found.labels else ""


def _parameters(found: griffe.Function, described: dict[str, str]) -> tuple[Row, ...]:
    return tuple(row for parameter in found.parameters for row in _taken(found, parameter, described))


def _taken(found: griffe.Function, parameter: griffe.Parameter, described: dict[str, str]) -> Iterator[Row]:
    type = str(parameter.annotation or "")
    if parameter.name == "self":
        return
    if type.startswith("Unpack["):  # each option is a parameter
        options = _find_near(found, type[len("Unpack[") : -1])
        own = (member for member in _members(options) if isinstance(member, griffe.Attribute))
        yield from (_field(member, described) for member in own)
    else:
        star = STARS.get(parameter.kind, "")
        default = "" if star else "required" if parameter.default is None else _plain(str(parameter.default))
        yield Row(star + parameter.name, type, default, described.get(parameter.name, ""))


def _find_near(found: griffe.Function, name: str) -> griffe.Class:
    """Return the class that a module knows by this name."""
    near = found.module[name]
    target = near.final_target if isinstance(near, griffe.Alias) else near
    assert isinstance(target, griffe.Class)
    return target


def _field(member: griffe.Attribute, described: dict[str, str]) -> Row:
    value = str(member.value) if member.value and "class-attribute" in member.labels else ""
    return Row(member.name, str(member.annotation or ""), value, described.get(member.name) or _text(member))


def _sections(found: griffe.Object | griffe.Alias) -> list[griffe.DocstringSection]:
    return found.docstring.parse("google", warnings=False) if found.docstring else []


def _text(found: griffe.Object | griffe.Alias) -> str:
    kind = griffe.DocstringSectionKind.text
    return "\n\n".join(str(section.value) for section in _sections(found) if section.kind is kind)


def _described(found: griffe.Object) -> dict[str, str]:
    kinds = {griffe.DocstringSectionKind.parameters, griffe.DocstringSectionKind.attributes}
    lines: list[Any] = [line for section in _sections(found) if section.kind in kinds for line in section.value]
    return {name.lstrip("*"): line.description for line in lines for name in line.name.split(", ")}


def _raises(found: griffe.Object) -> tuple[Row, ...]:
    kind = griffe.DocstringSectionKind.raises
    lines: list[Any] = [line for section in _sections(found) if section.kind is kind for line in section.value]
    return tuple(Row(str(line.annotation), text=line.description) for line in lines)
