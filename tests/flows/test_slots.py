"""Turns: one run works on a lake at a time, one shard on a GPU, and nobody is asked where nobody can tell."""

import threading
import time
import uuid
from contextvars import copy_context

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect import flow

from flows import holders, slots
from flows.holders import is_anybody_alive, is_first_to_notice, look, signing
from flows.local import run_local
from tests.archives import fake_spec, published_rows, write_archive
from tests.flow_runs import state_names


@pytest.fixture
def quick(monkeypatch):
    """Ask again soon: the server lets those wait who asked often."""
    monkeypatch.setattr("prefect.concurrency.services.asyncio.sleep", quick_sleep)


async def quick_sleep(_seconds):
    import anyio

    await anyio.sleep(0.2)


def in_thread(function):
    """Call in a thread of its own, which knows of the same server."""
    thread = threading.Thread(target=copy_context().run, args=(function,))
    thread.start()
    return thread


def test_lakes_of_different_addresses_have_different_limits():
    names = {slots.lake_limit(url) for url in ("s3://a/lake", "s3://b/lake", "lake", "s3://a/lake/")}
    assert len(names) == 3
    assert all(name.startswith("voxlake-lake-lake-") for name in names)
    assert slots.lake_limit("s3://user:secret@a/lake") == slots.lake_limit("s3://a/lake")


def test_without_a_server_nobody_waits(monkeypatch):
    monkeypatch.setattr(slots, "has_server", lambda: False)
    with slots.lake_slot("lake") as first, slots.lake_slot("lake") as second:
        assert (first, second) == (False, False)


def test_a_second_run_over_a_lake_waits_says_so_and_then_has_nothing_to_do(with_server, quick, tmp_path):
    from flows.archive import transcribe_archive

    archive, lake = write_archive(tmp_path / "archive", n_recordings=2), tmp_path / "lake"
    states = []
    with slots.lake_slot(str(lake)) as has_waited:
        assert not has_waited
        second = in_thread(
            lambda: states.append(transcribe_archive(str(archive), str(lake), profile="fake", return_state=True))
        )
        run_local(fake_spec(archive, lake))
        before = published_rows(lake)
        time.sleep(2)
        assert states == []
    second.join()
    assert states[0].result().is_current
    assert published_rows(lake) == before
    seen = state_names(states[0].state_details.flow_run_id)
    assert seen == ["Pending", "Running", "Waiting for the lake", "Running", "Completed"]


def test_a_run_that_a_person_paused_while_it_waited_is_not_said_to_run(with_server, monkeypatch):
    from prefect.client.orchestration import get_client
    from prefect.states import Paused, Running

    with get_client(sync_client=True) as client:
        run_id = running("a lake")
        monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", str(run_id))
        slots._rename_state("Running", "Waiting for the lake")
        assert client.read_flow_run(run_id).state.name == "Waiting for the lake"
        client.set_flow_run_state(run_id, Paused(), force=True)
        slots._rename_state("Waiting for the lake", "Running")
        assert client.read_flow_run(run_id).state.is_paused()
        client.set_flow_run_state(run_id, Running(name="Waiting for the lake"), force=True)
        slots._rename_state("Waiting for the lake", "Running")
        assert client.read_flow_run(run_id).state.name == "Running"


def test_one_shard_at_a_time_on_a_gpu_and_another_beside_it_on_the_next(with_server, quick, monkeypatch):
    monkeypatch.setattr(slots, "gpu_name", lambda number: ("GPU-a", "GPU-b")[number % 2])
    order, is_taken = [], threading.Event()

    def second():
        is_taken.wait()
        with slots.gpu_slot(2):
            order.append("second")

    waiting = in_thread(second)
    with slots.gpu_slot(0):
        is_taken.set()
        with slots.gpu_slot(1):
            order.append("beside")
        time.sleep(1)
        order.append("first")
    waiting.join()
    assert order == ["beside", "first", "second"]


def test_where_there_is_no_gpu_the_server_is_not_asked(monkeypatch):
    monkeypatch.setattr(slots, "gpu_name", lambda _number: None)
    monkeypatch.setattr(slots, "has_server", lambda: pytest.fail("the server was asked"))
    with slots.gpu_slot(0):
        pass


@pytest.fixture
def signers(quick, monkeypatch):
    """Have those who wait look every second, and flow runs listed here give a sign just before."""
    at_work = []

    def sign_and_look(limit):
        for run_id in tuple(at_work):
            holders._sign(str(run_id), limit)
        return holders.look(limit)

    monkeypatch.setattr(slots, "_ASK_AGAIN_S", 1.0)
    monkeypatch.setattr(slots, "look", sign_and_look)
    return at_work


@pytest.fixture
def limit(with_server, monkeypatch):
    """A GPU that no other test has, whose slot is taken, but the server knows no lease of it, as after a restart."""
    gpu = f"GPU-{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(slots, "gpu_name", lambda _number: gpu)
    name = f"voxlake-gpu-{gpu}"
    slots._ensure(name)
    asked = {"slots": 1, "names": [name]}
    httpx.post(f"{with_server}/v2/concurrency_limits/increment", json=asked).raise_for_status()
    return name


def n_taken(server, limit):
    return httpx.get(f"{server}/v2/concurrency_limits/{limit}").json()["active_slots"]


def running(limit):
    """Make a flow run that has given a sign once, and that Prefect believes to be running; return its ID."""
    from prefect.client.orchestration import get_client
    from prefect.states import Running

    @flow(name="holds")
    def holds():
        """Nobody ever calls it."""

    with get_client(sync_client=True) as client:
        run_id = client.create_flow_run(holds, state=Running()).id
    holders._sign(str(run_id), limit)
    return run_id


def test_a_slot_that_a_killed_run_has_left_is_given_back_and_taken(with_server, signers, limit, our_logs):
    killed = running(limit)
    assert list(look(limit)) == [str(killed)]
    with slots.gpu_slot(0):
        assert n_taken(with_server, limit) == 1
    assert n_taken(with_server, limit) == 0
    assert "nobody works there" in our_logs.text


def test_whoever_holds_a_slot_whose_lease_the_server_has_lost_is_waited_for(with_server, signers, limit):
    signers.append(running(limit))
    got = threading.Event()

    def second():
        with slots.gpu_slot(0):
            got.set()

    waiting = in_thread(second)
    assert not got.wait(4)
    signers.clear()
    assert got.wait(60)
    waiting.join()


def test_of_two_who_notice_that_nobody_has_a_slot_one_gives_it_back(with_server):
    first = []

    @flow(name="notices", persist_result=False)
    def notice(before):
        first.append(is_first_to_notice("a slot", before))
        return 0

    @flow(name="notices first", persist_result=False)
    def notice_first():
        before = look("a slot")
        notice(before)
        first.append(is_first_to_notice("a slot", before))
        first.append(is_first_to_notice("a slot", look("a slot")))
        notice(before)
        return 0

    notice_first()
    assert first == [True, True, True, False]


def test_of_two_who_wait_for_a_slot_that_nobody_has_one_waits_for_the_other(with_server, signers, limit, monkeypatch):
    from prefect.runtime import flow_run

    most = []
    monkeypatch.setattr(slots, "_ASK_AGAIN_S", 3.0)

    @flow(name="shares", persist_result=False)
    def share():
        with slots.gpu_slot(0):
            signers.append(flow_run.id)
            most.append(len(signers))
            time.sleep(5)  # the other looks for signs of life meanwhile
            signers.remove(flow_run.id)
        return 0

    both = [in_thread(share) for _ in range(2)]
    for one in both:
        one.join()
    assert most == [1, 1]
    assert n_taken(with_server, limit) == 0


def test_a_holder_gives_signs_until_it_ends(with_server, monkeypatch):
    monkeypatch.setattr(holders, "_RENEW_S", 0.1)
    seen = []

    @flow(name="signs", persist_result=False)
    def sign():
        with signing("some slot"):
            while len(set(seen)) < 3:
                seen.extend(look("some slot").values())
        return 0

    sign()
    assert look("some slot") == {}


SIGNS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))


@given(SIGNS, SIGNS)
def test_alive_is_who_gave_a_sign_since_the_last_look(before, now):
    assert is_anybody_alive(before, now) == any(before.get(run) != now[run] for run in now)
    assert not is_anybody_alive(now, now)
    assert is_anybody_alive(before, now | {"new": 1})
    assert not is_anybody_alive(before, {run: before[run] for run in now.keys() & before.keys()})
