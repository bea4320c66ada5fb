"""The JSON Schema of the configuration file, for editors."""

from __future__ import annotations

import json

from replicator.config.model import Config


def schema_text() -> str:
    """Return the JSON Schema, indented, as `replicator schema` prints it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
        "title": "replicator.toml",
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
