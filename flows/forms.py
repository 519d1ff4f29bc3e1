"""The parameters of the flows as people meet them: forms in Prefect's UI, checked before a run is begun.

Prefect stores the schema of a deployment's parameters and refuses values that do not fit it, whether they come from
the UI, the command line or a schedule.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.evaluation.evaluate import SpeakerNames
from tasks.evaluation.gate import Limits
from tasks.planning.spec import Runner

ProfileName = Literal["auto", "whisper", "nemo", "pyannote", "embedded", "fake"]
"""All profiles; a test holds this against ``flows.profiles``."""

_ADDRESS = r"^\S.*$"

ArchiveAddress = Annotated[
    str,
    Field(
        title="Archive",
        description="Folder or URL with the recordings, such as /data/archive or s3://bucket/folder.",
        pattern=_ADDRESS,
        examples=["s3://recordings/oral-history"],
    ),
]
LakeAddress = Annotated[
    str,
    Field(
        title="Lake",
        description="Folder or URL of the result; made if it is not there, continued if it is.",
        pattern=_ADDRESS,
        examples=["s3://lakes/oral-history"],
    ),
]
Profile = Annotated[
    ProfileName | None,
    Field(title="Profile", description="Named choice of engines; auto takes the best that can run. Empty: as set."),
]
ManifestAddress = Annotated[
    str | None,
    Field(
        title="Manifest",
        description="File with hints on the recordings: CSV, JSON lines or Parquet. Empty: looked for in the archive.",
    ),
]
Collection = Annotated[
    str | None,
    Field(title="Collection", description="What recordings belong to that the manifest says nothing of."),
]
LanguageCode = Annotated[
    str,
    Field(pattern=r"^[a-z]{2,3}$", examples=["en"]),
]
Language = Annotated[
    LanguageCode | None,
    Field(
        title="Language",
        description="ISO 639 code, such as en, of recordings that the manifest says nothing of. Empty: found out.",
    ),
]
Workers = Annotated[
    Annotated[int, Field(ge=1, le=200)] | None,
    Field(title="Workers", description="How many shards are taken side by side. Empty: as many as processors or GPUs."),
]
RunnerName = Annotated[
    Runner | None,
    Field(
        title="Runner",
        description="Who takes shards: processes of the machine the run is on, workers of a pool, or a Dask cluster.",
    ),
]
PoolName = Annotated[
    str | None,
    Field(title="Work pool", description="With the runner pool. Empty: gpu if the profile wants one, else cpu."),
]
DaskAddress = Annotated[
    Annotated[str, Field(pattern=r"^[a-z]+://\S+$", examples=["tcp://10.0.0.5:8786"])] | None,
    Field(title="Dask scheduler", description="With the runner dask. Empty: a cluster on this machine for the run."),
]
SettingsFile = Annotated[
    str | None,
    Field(title="Settings file", description="TOML file with settings. Empty: voxlake.toml where the run starts."),
]
RetryFailed = Annotated[
    bool,
    Field(title="Retry failed", description="Also try again what failed for good before."),
]
RunId = Annotated[
    str,
    Field(title="Run", description="ID of a run whose plan is in the lake.", pattern=r"^[\w.:-]+$"),
]
PlannedRunId = Annotated[
    RunId | None,
    Field(title="Run", description="ID of a run that is planned already; of the others only the lake is read then."),
]
LatestRunId = Annotated[
    RunId | None,
    Field(title="Run", description="Run whose plan and options count. Empty: the latest in the lake."),
]
References = Annotated[
    str,
    Field(
        title="References",
        description="File or folder with RTTM, STM, SegLST or CTM, named like the recordings.",
        pattern=_ADDRESS,
    ),
]
ScoredRegions = Annotated[
    str | None, Field(title="UEM", description="UEM file that says what of the recordings is scored. Empty: all.")
]
NamesInReferences = Annotated[
    SpeakerNames,
    Field(
        title="Names",
        description="Whether a speaker's name in the references is one person everywhere, or only within a recording.",
    ),
]
KeptLimits = Annotated[Limits, Field(title="Limits", description="What must be kept; the run fails where it is not.")]
