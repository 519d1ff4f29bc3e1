"""Settings of a run: explicit arguments over ``VOXLAKE_…`` variables over one TOML file over defaults."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from flows.profiles import Profile, resolve_profile
from storage.addresses import public_url
from storage.errors import ConfigError
from storage.lake import new_run_id
from storage.records import ChannelMode
from tasks.attribution.attribute import AttributeOptions
from tasks.attribution.cutting import CutOptions
from tasks.audio.chunking import ChunkOptions
from tasks.engines.devices import n_cuda_devices, pick_device
from tasks.engines.registry import KINDS, EngineKind
from tasks.linking.local import LocalLinkOptions
from tasks.linking.speakers import LinkOptions
from tasks.planning.spec import EngineChoice, Runner, RunSpec
from tasks.stages.second_try import SecondTryOptions
from tasks.threads import usable_cpus

_DEFAULT_FILE = "voxlake.toml"
_FILE_VARIABLE = "VOXLAKE_CONFIG"
_MOST = 1024
"""Workers, or threads of each, that one machine may be told to use."""
_PACE = ("workers", "batch_minutes", "commit_minutes")


def _known_only(options: type[Any]) -> BeforeValidator:
    """Refuse keys that the option record does not have; pydantic would drop them without a word."""
    names = [field.name for field in dataclasses.fields(options)]

    def check(value: Any) -> Any:
        unknown = sorted(set(value) - set(names)) if isinstance(value, dict) else []
        if unknown:
            message = f"unknown option {', '.join(unknown)}; it knows {', '.join(names)}"
            raise ValueError(message)
        return value

    return BeforeValidator(check)


class EngineSettings(BaseModel):
    """An engine other than the profile's, or other options for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    options: dict[str, Any] = {}

    def over(self, choice: EngineChoice) -> EngineChoice:
        """Return the profile's choice as these settings change it; another engine starts from its own defaults."""
        if self.name is not None and self.name != choice.name:
            return EngineChoice(name=self.name, options=self.options)
        return EngineChoice(name=choice.name, options={**choice.options, **self.options})


class Settings(BaseSettings):
    """Everything about a run that is not an address; ``docs/settings.md`` explains each."""

    model_config = SettingsConfigDict(
        env_prefix="VOXLAKE_", env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=False
    )

    profile: str = "auto"
    detector: EngineSettings = EngineSettings()
    transcriber: EngineSettings = EngineSettings()
    diarizer: EngineSettings = EngineSettings()
    embedder: EngineSettings = EngineSettings()
    device: str = "auto"
    language: str | None = None
    channel_mode: ChannelMode = "auto"
    chunking: Annotated[ChunkOptions, _known_only(ChunkOptions)] = ChunkOptions()
    second_try: Annotated[SecondTryOptions, _known_only(SecondTryOptions)] = SecondTryOptions()
    attribution: Annotated[AttributeOptions, _known_only(AttributeOptions)] = AttributeOptions()
    utterances: Annotated[CutOptions, _known_only(CutOptions)] = CutOptions()
    local_linking: Annotated[LocalLinkOptions, _known_only(LocalLinkOptions)] = LocalLinkOptions()
    linking: Annotated[LinkOptions, _known_only(LinkOptions)] = LinkOptions()
    workers: int | None = Field(default=None, ge=1, le=_MOST)
    threads: int = Field(default=1, ge=1, le=_MOST)
    shard_minutes: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    batch_minutes: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    commit_minutes: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    runner: Runner = "processes"
    pool: str | None = None
    dask_address: str | None = None
    claim_seconds: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    timeout_factor: float | None = Field(default=20.0, gt=0, allow_inf_nan=False)
    timeout_minutes: float = Field(default=10.0, ge=0, allow_inf_nan=False)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Say where values come from, strongest first."""
        return named["init_settings"], named["env_settings"], TomlConfigSettingsSource(settings_cls)


def load_settings(config: str | None = None, *, assigned: Sequence[str] = (), **explicit: Any) -> Settings:
    """Return the settings; explicit values that are None count as not given.

    Args:
        config: The TOML file; ``VOXLAKE_CONFIG`` or ./voxlake.toml if not given.
        assigned: Settings as text, ``transcriber.options.beam_size=1``; stronger than all others.
        **explicit: Settings by name.

    Raises:
        ConfigError: the file cannot be read, or a value is impossible; names every one.
    """
    path = _config_path(config)

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    given = {name: value for name, value in explicit.items() if value is not None}
    for text in assigned:
        _assign(given, text)
    return _checked(lambda: FromFile(**given), str(path) if path else "settings")


def build_spec(
    settings: Settings,
    archive: str,
    lake: str,
    *,
    manifest: str | None = None,
    collection: str | None = None,
    retry_failed: bool = False,
) -> RunSpec:
    """Return all options of a new run.

    Raises:
        ConfigError: there is no such profile, none can run here, or an address carries credentials.
    """
    for url in filter(None, (archive, lake, manifest)):
        _refuse_credentials(url)
    profile = resolve_profile(settings.profile).profile
    chosen = chosen_engines(settings, profile)
    same = {field.name for field in dataclasses.fields(RunSpec)} & set(Settings.model_fields)
    same -= {*KINDS, "profile", "pool", *_PACE}
    now = datetime.now(UTC)
    started_at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as exact as the lake's tables
    return RunSpec(
        run_id=new_run_id(started_at),
        started_at=started_at,
        archive=archive,
        lake=lake,
        profile=profile.name,
        manifest=manifest,
        collection=collection,
        retry_failed=retry_failed,
        pool=_pool(settings, profile),
        **_pace(settings, profile),
        detector=chosen["detector"],
        transcriber=chosen["transcriber"],
        diarizer=chosen["diarizer"],
        embedder=chosen["embedder"],
        **{name: getattr(settings, name) for name in same},
    )


def chosen_engines(settings: Settings, profile: Profile | None = None) -> dict[EngineKind, EngineChoice]:
    """Return the profile's engines as the settings change them; raises as ``build_spec``."""
    named = profile or resolve_profile(settings.profile).profile
    return {kind: getattr(settings, kind).over(named.engines[kind]) for kind in KINDS}


def _pace(settings: Settings, profile: Profile) -> dict[str, Any]:
    """Return how many take how much at once: as set, else one worker for each processor or for each GPU.

    A GPU is a hundred times faster: it is kept busy by larger batches, and twenty minutes of audio are lost work of
    seconds.
    """
    is_on_gpu = profile.wants_gpu and pick_device(settings.device).startswith("cuda")
    usual = (max(1, n_cuda_devices()), 60.0, 120.0) if is_on_gpu else (usable_cpus(), 10.0, 20.0)
    return {name: getattr(settings, name) or value for name, value in zip(_PACE, usual, strict=True)}


def _pool(settings: Settings, profile: Profile) -> str | None:
    """Return the work pool that takes shards: as set, else the one of the processors that the profile wants."""
    if settings.runner != "pool":
        return None
    return settings.pool or ("gpu" if profile.wants_gpu else "cpu")


def _refuse_credentials(url: str) -> None:
    """Keep secrets out of plans, records and logs, where addresses go."""
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ConfigError(
            f"address {public_url(url)!r}",
            "carries credentials",
            "give them in the environment that your storage reads",
        )


def _assign(given: dict[str, Any], text: str) -> None:
    """Put what ``a.b=value`` says where a nested table of the file would have it."""
    path, equals, value = text.partition("=")
    *groups, name = path.strip().split(".")
    if not equals or not all((*groups, name)):
        raise ConfigError(f"setting {text!r}", "is no assignment", "write it as transcriber.options.beam_size=1")
    for group in groups:
        given = given.setdefault(group, {})
        if not isinstance(given, dict):
            raise ConfigError(f"setting {text!r}", f"{group} is a value, not a group", "see docs/settings.md")
    given[name] = value


def _config_path(config: str | None) -> Path | None:
    named = config or os.environ.get(_FILE_VARIABLE)
    path = Path(named or _DEFAULT_FILE).expanduser()
    if path.is_file():
        return path
    if named:
        raise ConfigError(f"settings file {named!r}", "there is no such file", "check the path")
    return None


def _checked(make: Callable[[], Settings], subject: str) -> Settings:
    try:
        return make()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise ConfigError(subject, f"is not TOML: {cause}", "correct it") from cause
    except OSError as cause:
        raise ConfigError(subject, f"cannot be read ({cause.strerror})", "allow reading it") from cause
    except SettingsError as cause:
        problem = f"{cause}: {cause.__cause__}" if cause.__cause__ else str(cause)
        raise ConfigError("settings", problem, "write what has fields of its own as JSON") from cause
    except ValidationError as cause:
        problems = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in cause.errors()]
        raise ConfigError("settings", "; ".join(problems), "see docs/settings.md for every setting") from cause
