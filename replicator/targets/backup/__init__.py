"""Local backups: segments of changes with checksums, each of which names the one before it."""

from replicator.targets.backup.archive import Archive, read_changes
from replicator.targets.backup.base import Base, BaseWriter
from replicator.targets.backup.record import SegmentError
from replicator.targets.backup.retention import Keep
from replicator.targets.backup.target import BackupTarget, Rotation

__all__ = [
    "Archive",
    "BackupTarget",
    "Base",
    "BaseWriter",
    "Keep",
    "Rotation",
    "SegmentError",
    "read_changes",
]
