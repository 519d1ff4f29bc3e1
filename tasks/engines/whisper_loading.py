"""Load a Whisper from a folder of CTranslate2, and say what is wrong with one that cannot be loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from storage.errors import ConfigError, EngineUnavailable
from tasks.engines.devices import pick_device
from tasks.engines.hub import WeightsSource
from tasks.engines.registry import missing_library
from tasks.engines.whisper_options import MODELS, WhisperOptions

NAME = "whisper"
ENGLISH = "en"
_FILES = ("config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*")
_REQUIRED = ("model.bin", "config.json", "tokenizer.json")
"""Without tokenizer.json the library would ask the hub for one."""
_MOST_PROMPT_TOKENS = 223
"""Half of the decoder's places, less one for the token before the prompt; the library cuts longer ones silently."""
_PREFERRED = {"cuda": ("float16", "bfloat16", "float32"), "cpu": ("int8", "float32")}
_TO_ISO = {"jw": "jv"}
_TO_WHISPER = {"jv": "jw", "iw": "he", "nb": "no", "fil": "tl", "in": "id"}


def weights_source(options: WhisperOptions) -> WeightsSource:
    """Return where the model of that size, path or repository comes from."""
    return WeightsSource(
        engine=NAME,
        model=MODELS.get(options.model, options.model),
        revision=options.revision,
        patterns=_FILES,
        required=_REQUIRED,
    )


def load(folder: Path, options: WhisperOptions, device: str) -> Any:
    """Return a ``faster_whisper.WhisperModel``; nothing is asked of the network.

    Raises:
        ConfigError: the device or the compute type does not exist here.
        EngineUnavailable: faster-whisper is not installed, or the folder is damaged or holds something else.
    """
    try:
        from faster_whisper import WhisperModel
    except ImportError as cause:
        raise missing_library(NAME, cause) from cause
    kind, index = split_device(pick_device(device))
    compute_type = _compute_type(options.compute_type, kind, index)
    _check_settings(folder)
    try:
        model = WhisperModel(
            str(folder),
            device=kind,
            device_index=index,
            compute_type=compute_type,
            cpu_threads=options.cpu_threads,
            local_files_only=True,
        )
    except Exception as cause:
        raise _damaged(folder, f"cannot be loaded ({type(cause).__name__}: {cause})") from cause
    if model.model.is_multilingual and json.loads((folder / "config.json").read_bytes()).get("lang_ids") == []:
        raise _damaged(folder, "lists no languages in its config.json, so it could detect none")
    n_mels = model.feature_extractor.mel_filters.shape[0]
    if n_mels != model.model.n_mels:
        raise _damaged(folder, f"wants {model.model.n_mels} mels, its preprocessor_config.json gives {n_mels}")
    _check_prompt(model, options)
    return model


def split_device(device: str) -> tuple[str, int]:
    """Return kind and index: ``cuda:1`` is the second CUDA device.

    Raises:
        ConfigError: CTranslate2 does not run there.
    """
    kind, _, index = device.partition(":")
    if kind not in _PREFERRED or not (index or "0").isdecimal():
        raise ConfigError(f"engine {NAME!r}", f"cannot run on device {device!r}", "choose cpu, cuda or cuda:N")
    return kind, int(index or 0)


def languages_of(model: Any) -> frozenset[str]:
    """Return the codes that the model has a token for; English alone where it has none at all."""
    if not model.model.is_multilingual:
        return frozenset({ENGLISH})
    known = model.supported_languages
    return frozenset(code for code in known if model.hf_tokenizer.token_to_id(f"<|{code}|>") is not None)


def whisper_language(code: str) -> str:
    """Return what Whisper calls a language; of ``de-AT`` only the language counts."""
    language = code.lower().replace("_", "-").split("-")[0]
    return _TO_WHISPER.get(language, language)


def iso_language(code: str) -> str:
    """Return the ISO 639 code of what Whisper calls a language."""
    return _TO_ISO.get(code, code)


def _compute_type(wanted: str, kind: str, index: int) -> str:
    import ctranslate2

    try:
        supported = ctranslate2.get_supported_compute_types(kind, index)
    except (RuntimeError, ValueError) as cause:
        raise ConfigError(f"engine {NAME!r}", f"there is no device {kind}:{index} here ({cause})") from cause
    if wanted == "auto":
        return next(name for name in _PREFERRED[kind] if name in supported)
    if wanted != "default" and wanted not in supported:
        remedy = f"choose one of auto, default, {', '.join(sorted(supported))}"
        raise ConfigError(f"engine {NAME!r}", f"compute_type {wanted!r} does not run on this {kind}", remedy)
    return wanted


def _check_prompt(model: Any, options: WhisperOptions) -> None:
    said = f"{options.hotwords or ''} {options.initial_prompt or ''}"
    n_tokens = len(model.hf_tokenizer.encode(said, add_special_tokens=False).ids)
    if n_tokens > _MOST_PROMPT_TOKENS:
        problem = f"hotwords and initial_prompt are {n_tokens} tokens long; {_MOST_PROMPT_TOKENS} leave room for text"
        raise ConfigError(f"engine {NAME!r}", problem, "shorten them")


def _check_settings(folder: Path) -> None:
    """Find out what the library would only log, or blame on something else."""
    for name in ("config.json", "tokenizer.json", "preprocessor_config.json"):
        path = folder / name
        if name in _REQUIRED or path.exists():
            try:
                json.loads(path.read_bytes())
            except (OSError, ValueError) as cause:
                raise _damaged(folder, f"has a damaged {name} ({cause})") from cause


def _damaged(folder: Path, problem: str) -> EngineUnavailable:
    remedy = "give a folder that ct2-transformers-converter made of a Whisper, or fetch it anew"
    return EngineUnavailable(f"engine {NAME!r}", f"{folder.name} {problem}", remedy)
