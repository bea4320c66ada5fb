"""One text for a value, the same on every engine, and checksums over the texts of many rows.

A row's text is that of its columns, one after another, in a form from which they can be told apart
again. A range of rows has their number and two sums of parts of the MD5 of each, so that the order
in which a server reads them does not matter. Equal texts mean equal values; unequal ones may be
equal all the same, and are compared by value then.
"""

from replicator.canonical.form import Digest, Field, Form

__all__ = ["Digest", "Field", "Form"]
