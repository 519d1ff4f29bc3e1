"""The reduce begins again for what passes, and only for that."""

from dataclasses import fields

import pytest

from flows.job import reduce_lake
from storage.errors import PublicationRaced, StorageError, StoreUnreachable
from tasks.linking.lake import LinkReport
from tasks.publishing.publish import PublishReport


def of_nothing(report):
    """Return a report of a lake in which there is nothing."""
    return report(**{field.name: 0 for field in fields(report)})


def reduce_after(*errors):
    """Return how often linking was asked for while publishing met these errors, one after the other."""
    linked, waiting, published = [], list(errors), of_nothing(PublishReport)

    def publish(lake, run_id, link):
        if waiting:
            raise waiting.pop(0)("lake", "problem")
        return published

    def link(lake, run_id):
        linked.append(lake)
        return of_nothing(LinkReport)

    assert reduce_lake("lake", "run", link, publish).publish is published
    return len(linked)


def test_a_lost_race_and_storage_that_gave_out_begin_again():
    assert reduce_after(PublicationRaced, StoreUnreachable, StoreUnreachable) == 4


def test_what_does_not_pass_ends_the_run():
    with pytest.raises(StorageError):
        reduce_after(StorageError)


def test_patience_ends():
    with pytest.raises(StoreUnreachable):
        reduce_after(*[StoreUnreachable] * 5)
