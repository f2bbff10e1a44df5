from __future__ import annotations

import pickle

import pytest

from otelq.errors import ChainFailed, InvalidArgument
from otelq.model import CLOSED, ENDED, OPEN, ClaimSuccessor, Lease, Status, Successor, job_id


def test_every_status_is_open_or_closed() -> None:
    assert set(Status) == OPEN | CLOSED
    assert not OPEN & CLOSED


@pytest.mark.parametrize("status", Status)
def test_a_status_knows_whether_it_is_open(status: Status) -> None:
    assert status.is_open is (status in {"blocked", "scheduled", "ready", "running"})


def test_a_chain_ends_with_any_closed_status_but_continued() -> None:
    assert {"completed", "failed", "cancelled"} == ENDED


def test_the_id_of_a_job_is_its_chain_and_its_position() -> None:
    assert job_id("0198c0de-0000-7000-8000-000000000000", 3) == "0198c0de-0000-7000-8000-000000000000.3"


def test_values_are_frozen() -> None:
    lease = Lease("chain", 0, 1)

    with pytest.raises(AttributeError):
        lease.token = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_values_compare_by_what_they_hold() -> None:
    assert ClaimSuccessor(token=1, lease=30) == ClaimSuccessor(token=1, lease=30)
    assert Successor(type="a", input="1") != Successor(type="a", input="2")


@pytest.mark.parametrize("error", [InvalidArgument("delay", "is -1"), ChainFailed("chain", "reason")])
def test_errors_with_fields_travel_between_processes(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
