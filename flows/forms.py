"""The parameters of the flows as people meet them: forms in Prefect's UI, checked before a run is begun.

Prefect stores the schema of a deployment's parameters and refuses values that do not fit it, whether they come from
the UI, the command line or a schedule.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.evaluation.evaluate import SpeakerNames
from tasks.evaluation.gate import Limits
from tasks.planning.spec import Runner

ProfileName = Literal["auto", "whisper", "nemo", "pyannote", "embedded", "fake"]
_ADDRESS = r"^\S.*$"


def _shown(title: str, description: str) -> Any:
    """Return how a parameter is shown; Prefect itself would call it by its name and overwrite ``Field(title=…)``."""
    return Field(json_schema_extra={"title": title, "description": description})


_Address = Annotated[str, Field(pattern=_ADDRESS)]

ArchiveAddress = Annotated[
    _Address, _shown("Archive", "Folder or URL with the recordings, such as /data/archive or s3://bucket/folder.")
]
LakeAddress = Annotated[
    _Address, _shown("Lake", "Folder or URL of the result; made if it is not there, continued if it is.")
]
Profile = Annotated[
    ProfileName | None,
    _shown("Profile", "Named choice of engines; auto takes the best that can run. Empty: as the settings say."),
]
ManifestAddress = Annotated[
    str | None,
    _shown(
        "Manifest",
        "File with hints on the recordings: CSV, JSON lines or Parquet. Empty: manifest.csv in the archive.",
    ),
]
Collection = Annotated[str | None, _shown("Collection", "What recordings belong to that the manifest says nothing of.")]
Language = Annotated[
    Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None,
    _shown(
        "Language",
        "ISO 639 code, such as en, of recordings that the manifest says nothing of. Empty: as the settings say.",
    ),
]
Workers = Annotated[
    Annotated[int, Field(ge=1, le=200)] | None,
    _shown("Workers", "How many shards are taken side by side. Empty: one for each processor, or for each GPU."),
]
RunnerName = Annotated[
    Runner | None,
    _shown("Runner", "Who takes shards: processes of the machine the run is on, workers of a pool, or a Dask cluster."),
]
PoolName = Annotated[
    str | None, _shown("Work pool", "With the runner pool. Empty: gpu if the profile wants one, else cpu.")
]
DaskAddress = Annotated[
    Annotated[str, Field(pattern=r"^[a-z]+://\S+$")] | None,
    _shown("Dask scheduler", "With the runner dask, as tcp://10.0.0.5:8786. Empty: a cluster on the run's machine."),
]
SettingsFile = Annotated[
    str | None, _shown("Settings file", "TOML file with settings. Empty: voxlake.toml where the run starts.")
]
RetryFailed = Annotated[bool, _shown("Retry failed", "Also try again what failed for good before.")]

_RunId = Annotated[str, Field(pattern=r"^[\w.:-]+$")]
RunId = Annotated[_RunId, _shown("Run", "ID of the run whose plan in the lake is worked on.")]
PlannedRunId = Annotated[
    _RunId | None, _shown("Run", "ID of a run that is planned already; besides it only the lake is read then.")
]
LatestRunId = Annotated[
    _RunId | None, _shown("Run", "Run whose plan and options count. Empty: the latest in the lake.")
]

References = Annotated[
    _Address, _shown("References", "File or folder with RTTM, STM, SegLST or CTM, named like the recordings.")
]
ScoredRegions = Annotated[str | None, _shown("UEM", "UEM file that says what of the recordings is scored. Empty: all.")]
NamesInReferences = Annotated[
    SpeakerNames,
    _shown(
        "Names in references",
        "Whether a speaker's name in the references is one person everywhere, or only within a recording.",
    ),
]
KeptLimits = Annotated[Limits, _shown("Limits", "What must be kept; the run fails where it is not.")]

GraceDays = Annotated[
    Annotated[float, Field(ge=0)], _shown("Grace days", "How long what was replaced is kept for who still reads it.")
]
DryRun = Annotated[bool, _shown("Dry run", "Only say what there is to do.")]
