"""A plan goes from the command line to the flow as it is; any other flow reads it in the lake."""

import pytest

from flows.planned import handing_over, planned
from storage.errors import StorageError
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tests.lakes import fake_spec


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "archive").mkdir()
    return plan_run(fake_spec(tmp_path / "archive", tmp_path / "lake"))


def test_a_plan_that_is_handed_over_need_not_be_in_the_lake(plan):
    spec = plan.spec
    with handing_over(plan):
        assert planned(spec.lake, spec.run_id) is plan
        with pytest.raises(StorageError, match="the plan of run another is gone"):
            planned(spec.lake, "another")
    with pytest.raises(StorageError, match="is gone"):
        planned(spec.lake, spec.run_id)
    write_plan(plan)
    assert planned(spec.lake, spec.run_id) == plan
