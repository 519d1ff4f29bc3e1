import pickle

import pytest

from storage import errors


def leaves(kind):
    for child in kind.__subclasses__():
        yield child
        yield from leaves(child)


@pytest.mark.parametrize("kind", sorted(set(leaves(errors.VoxlakeError)), key=lambda kind: kind.__name__))
def test_errors_survive_pickling(kind):
    error = kind("subject", "problem", "remedy")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.subject, copy.problem, copy.remedy) == ("subject", "problem", "remedy")
    assert str(copy) == "subject: problem; remedy"


def test_what_is_transient():
    assert errors.is_transient(errors.StoreUnreachable("s", "p"))
    assert errors.is_transient(TimeoutError())
    assert not errors.is_transient(errors.UnreadableAudio("s", "p"))
    assert not errors.is_transient(ValueError())
