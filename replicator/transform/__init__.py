"""Transforms: target columns and filters in the source's own SQL (docs/guide/transforms.md)."""

from replicator.transform.model import Problem, Result, Transform
from replicator.transform.route import RouteTransforms

__all__ = ["Problem", "Result", "RouteTransforms", "Transform"]
