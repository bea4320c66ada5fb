"""Local backups: compressed JSON Lines segments with checksums."""

from replicator.targets.backup.segment import (
    SegmentError,
    SegmentHeader,
    list_segments,
    read_segment,
)
from replicator.targets.backup.target import BackupTarget

__all__ = ["BackupTarget", "SegmentError", "SegmentHeader", "list_segments", "read_segment"]
