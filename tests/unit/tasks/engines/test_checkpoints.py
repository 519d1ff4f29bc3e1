import collections
import os

import pytest
import torch

from storage.errors import EngineUnavailable
from tasks.engines.checkpoints import refuse_code


class Wicked:
    def __reduce__(self):
        return os.system, ("echo wicked",)


def test_weights_and_plain_data_pass(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    more = {"version": torch.torch_version.TorchVersion("2.0"), "steps": collections.OrderedDict(a=1)}
    torch.save({"state_dict": {"w": torch.zeros(3)}, **more}, path)
    refuse_code("some", path, "")


def test_a_call_is_refused_and_not_made(tmp_path, capfd):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"w": torch.zeros(3), "more": Wicked()}, path)
    with pytest.raises(EngineUnavailable, match=r"would run posix\.system.*do without"):
        refuse_code("some", path, "do without")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("change", [lambda whole: whole[:200], lambda _: b"", lambda _: b"version https://git-lfs"])
def test_what_is_cut_short_or_no_checkpoint_is_refused(tmp_path, change):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"w": torch.zeros(300)}, path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(EngineUnavailable, match="no checkpoint of torch or is cut short"):
        refuse_code("some", path, "")
