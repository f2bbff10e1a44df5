"""No connection is handed on with a statement in flight, whatever is cancelled, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import psycopg
import pytest
from sqlalchemy import text

import otelq

from ..servers import PostgresServer
from .drivers import WAYS, open_target

JOB = otelq.JobType("job", input=int, output=int)
