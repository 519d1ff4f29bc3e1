"""What came of the reduce, in one line each. Pure."""

from __future__ import annotations

from tasks.linking.lake import LinkReport
from tasks.publishing.publish import PublishReport
from tasks.wording import counted


def link_line(report: LinkReport) -> str:
    """Return one line that says what linking found."""
    return (
        f"{counted(report.n_speakers, 'speaker')}: {report.n_new:,} new, {report.n_grown:,} grown, "
        f"{report.n_merged:,} merged, {report.n_split:,} split; "
        f"{counted(report.n_unlinked, 'voice')} without a speaker"
    )


def publish_line(report: PublishReport) -> str:
    """Return one line that says what was published."""
    return (
        f"publication {report.number}: {counted(report.n_recordings, 'recording')}, "
        f"{report.n_parts_written:,} of {counted(report.n_parts, 'part')} written anew"
    )
