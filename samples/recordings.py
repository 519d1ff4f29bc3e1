"""The recordings of the archive: where each lies, what was done to its sound, what its owner knows of it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from sound import Channel, Encoding

FLAC = Encoding(suffix="flac", codec="flac", rate_hz=16_000)
MP3 = Encoding(suffix="mp3", codec="libmp3lame", rate_hz=22_050, bit_rate=40_000)
BROADCAST = Encoding(suffix="mp3", codec="libmp3lame", rate_hz=44_100, n_channels=2, bit_rate=56_000)
OPUS = Encoding(suffix="opus", codec="libopus", rate_hz=48_000, bit_rate=24_000)
M4A = Encoding(suffix="m4a", codec="aac", rate_hz=32_000, bit_rate=40_000)
FILM = Encoding(suffix="mp4", codec="aac", rate_hz=44_100, bit_rate=40_000, has_video=True)
TELEPHONE = Encoding(suffix="wav", codec="pcm_mulaw", rate_hz=8_000, n_channels=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One file of the archive; its script is ``scripts/<name>.txt``."""

    folder: str
    name: str
    encoding: Encoding
    channel: Channel
    one_person_per_channel: bool = False
    kept: float = 1.0
    """Part of the file's bytes that is kept; less than 1 breaks it, and a broken file has no truth."""
    hints: Mapping[str, str] = field(default_factory=dict)
    """Its row of the manifest, without the source."""

    @property
    def source(self) -> str:
        """Path relative to the archive."""
        return f"{self.folder}/{self.name}.{self.encoding.suffix}"

    @property
    def file_id(self) -> str:
        """Name in the truth: the source without its suffix, '/' replaced by '_'."""
        return f"{self.folder}_{self.name}"

    @property
    def seed(self) -> int:
        """Seed of its pauses, noise and room."""
        return zlib.crc32(self.source.encode())


RECORDINGS = (
    Recording(
        folder="calls",
        name="ferry-office",
        encoding=TELEPHONE,
        channel=Channel(noise_db=-66, band_hz=(120, 3800)),
        one_person_per_channel=True,
        hints={"collection": "calls", "title": "A call to the ferry office", "recorded_at": "2019-03-12T09:40:00Z"},
    ),
    Recording(
        folder="film",
        name="market-day",
        encoding=FILM,
        channel=Channel(gain_db=-3, noise_db=-58),
        hints={"language": "en", "title": "Market day", "recorded_at": "2018-08-04"},
    ),
    Recording(
        folder="interviews",
        name="long-pause",
        encoding=OPUS,
        channel=Channel(gain_db=2, noise_db=-64),
        hints={"language": "en", "title": "A letter from the ship", "recorded_at": "2016-11-20"},
    ),
    Recording(
        folder="interviews",
        name="mill-house",
        encoding=FLAC,
        channel=Channel(gain_db=-6, noise_db=-76),
        hints={"language": "en", "title": "Work at the paper company", "recorded_at": "2017-05-02"},
    ),
    Recording(
        folder="interviews",
        name="school-days",
        encoding=MP3,
        channel=Channel(gain_db=-6, noise_db=-64, reverb_s=0.2),
        hints={"language": "en", "title": "School days", "recorded_at": "2017-06-15"},
    ),
    Recording(
        folder="meetings",
        name="bridge-meeting",
        encoding=OPUS,
        channel=Channel(gain_db=-4, noise_db=-66, reverb_s=0.2),
        hints={"speakers": "4", "title": "Meeting about the bridge", "recorded_at": "2020-01-28"},
    ),
    Recording(
        folder="memoirs",
        name="garden-letters",
        encoding=FLAC,
        channel=Channel(gain_db=-9, noise_db=-76),
        hints={"language": "en", "title": "The letters from the garden house"},
    ),
    Recording(
        folder="memoirs",
        name="night-shift",
        encoding=FLAC,
        channel=Channel(),
        kept=0.45,
        hints={"language": "en", "title": "The night shift (damaged)"},
    ),
    Recording(
        folder="memoirs",
        name="winter-memoir",
        encoding=M4A,
        channel=Channel(gain_db=3, noise_db=-60),
        hints={"language": "en", "title": "The winter of the ice", "recorded_at": "2015-02-09"},
    ),
    Recording(
        folder="radio",
        name="village-hour",
        encoding=BROADCAST,
        channel=Channel(band_hz=(90, 6500)),
        hints={"channel_mode": "mix", "title": "The history hour: the station", "recorded_at": "2014-10-03"},
    ),
)
