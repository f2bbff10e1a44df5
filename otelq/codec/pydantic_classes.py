"""Recognizes classes of pydantic without importing it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from pydantic import BaseModel


def is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    """Return whether this is a pydantic model: a class like ``BaseModel`` or ``RootModel``, generic or not."""
    module = sys.modules.get("pydantic")
    return module is not None and isinstance(kind, type) and issubclass(kind, module.BaseModel)


def is_model_dataclass(kind: object) -> bool:
    """Return whether this is a dataclass of pydantic, which validates; msgspec would skip its validators."""
    return "pydantic" in sys.modules and isinstance(kind, type) and "__pydantic_validator__" in vars(kind)


def is_validated(kind: object) -> bool:
    """Return whether a class brings a schema for pydantic along: a model, or a type such as ``HttpUrl``."""
    return "pydantic" in sys.modules and hasattr(kind, "__get_pydantic_core_schema__")
