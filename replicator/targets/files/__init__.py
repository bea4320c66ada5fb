"""Files put in a folder where a third party fetches them."""

from replicator.targets.files.names import NamePattern
from replicator.targets.files.target import FilesTarget

__all__ = ["FilesTarget", "NamePattern"]
