"""The study's settings as a report publishes them, in report.json and in its metadata.

Definitions that the study doesn't use are left out. How a table of one's own is read may tell what
is in it (names of columns, values of labels): a digest is enough to see that it has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from takeoff.files import canonical_json

OPEN = {"m", "repeats", "pool", "test", "path", "test_path", "task", "metric", "unit"}


def published(study: Mapping[str, Any]) -> dict[str, Any]:
    """All settings that the study uses and that may be shown."""
    use, runs = study["use"], study.get("runs")
    return dict(study) | {
        "runs": {**runs, "table": Path(runs["table"]).name} if runs else None,
        "datasets": {name: of_dataset(study["datasets"][name]) for name in use["datasets"]},
        "learners": {name: study["learners"][name] for name in use["learners"]},
    }


def of_dataset(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a data set; `reading` is the digest of what is closed."""
    if settings.get("path") is None:
        return {key: value for key, value in settings.items() if key in OPEN and value is not None}
    kept = {key: value for key, value in settings.items() if key in OPEN}
    closed = {key: value for key, value in settings.items() if key not in OPEN}
    return kept | {"reading": hashlib.sha256(canonical_json(closed).encode()).hexdigest()[:16]}
