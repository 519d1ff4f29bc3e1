"""Make ``tests/models/pyannote``: a diarization pipeline laid out as community-1 is, small enough to keep.

    python -m tests.models.make.train_pyannote OUT_FOLDER [--steps N]

Needs what the speech needs (see ``voices.py``) and about half an hour of one core.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import yaml

CONFIG = {
    "dependencies": {"pyannote.audio": "4.0.0"},
    "pipeline": {
        "name": "pyannote.audio.pipelines.SpeakerDiarization",
        "params": {
            "clustering": "VBxClustering",
            "segmentation": "$model/segmentation",
            "segmentation_batch_size": 32,
            "embedding": "$model/embedding",
            "embedding_batch_size": 32,
            "embedding_exclude_overlap": True,
            "plda": "$model/plda",
        },
    },
    "params": {
        "clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
        "segmentation": {"min_duration_off": 0.0},
    },
}
"""As that of community-1, parameters included."""
_SEGMENTATION_STEPS, _EMBEDDING_STEPS = 1600, 600


def main() -> None:
    """Train both networks, fit the PLDA model and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the folder pyannote/ is written into it")
    parser.add_argument("--steps", type=int, help="of each network, for a quick try")
    given = parser.parse_args()
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    import torch

    from tests.models.make import pyannote_embedding, pyannote_segmentation
    from tests.models.make.corpus import training_utterances
    from tests.models.make.mixtures import by_voice
    from tests.models.make.pyannote_checkpoints import save_checkpoint

    torch.set_num_threads(1)
    voices = by_voice(training_utterances())
    out = given.out / "pyannote"
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))

    torch.manual_seed(1)
    segmentation = pyannote_segmentation.new_model()
    pyannote_segmentation.train(segmentation, voices, given.steps or _SEGMENTATION_STEPS)
    save_checkpoint(segmentation, out / "segmentation" / "pytorch_model.bin")

    torch.manual_seed(2)
    embedding = pyannote_embedding.trained(voices, given.steps or _EMBEDDING_STEPS)
    save_checkpoint(embedding, out / "embedding" / "pytorch_model.bin")
    pyannote_embedding.fit_plda(embedding, voices, out / "plda")


if __name__ == "__main__":
    main()
