"""The reduce begins again for what passes, and only for that."""

import pytest

from flows.job import reduce_lake
from storage.errors import PublicationRaced, StorageError, StoreUnreachable


def reduce_after(*errors):
    """Return how often linking was asked for while publishing met these errors, one after the other."""
    linked, waiting = [], list(errors)

    def publish(lake, run_id, link):
        if waiting:
            raise waiting.pop(0)("lake", "problem")
        return "published"

    assert reduce_lake("lake", "run", lambda *_: linked.append(1), publish).publish == "published"
    return len(linked)


def test_a_lost_race_and_storage_that_gave_out_begin_again():
    assert reduce_after(PublicationRaced, StoreUnreachable, StoreUnreachable) == 4


def test_what_does_not_pass_ends_the_run():
    with pytest.raises(StorageError):
        reduce_after(StorageError)


def test_patience_ends():
    with pytest.raises(StoreUnreachable):
        reduce_after(*[StoreUnreachable] * 5)
