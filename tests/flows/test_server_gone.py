"""A server that goes away takes no work with it."""

import time
from contextlib import contextmanager
from uuid import uuid4

import httpx
import pytest

from flows import slots
from tests.prefect_servers import free_port


@pytest.fixture
def dead_server():
    """Have flows report to a port on which nobody answers."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        yield


def test_a_server_that_is_gone_pauses_nothing(dead_server, our_logs):
    from flows.pausing import Wish

    wish = Wish()
    wish._id, wish._next_look_s = uuid4(), 0.0
    assert not wish.is_paused()
    assert "the Prefect server is gone" in our_logs.text
    assert wish._next_look_s > time.monotonic() + 60  # asking takes long, and shards wait for it


def test_a_slot_that_cannot_be_given_back_costs_no_work(dead_server, monkeypatch, our_logs):
    @contextmanager
    def slot():
        yield
        raise httpx.ConnectError("refused")

    def taken(stack, name):
        stack.enter_context(slot())
        return True

    monkeypatch.setattr(slots, "_taken_at_once", taken)
    with slots.lake_slot("lake"):
        pass
    assert "could not give a slot back" in our_logs.text
