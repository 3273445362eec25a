"""Where things lie that no result depends on: downloads, and the files of one's own data."""

from __future__ import annotations

import json
import os
from pathlib import Path

OWN_FILES = "TAKEOFF_OWN_FILES"


def download_folder() -> Path:
    """Where downloads are kept: $TAKEOFF_CACHE, or the user's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("TAKEOFF_CACHE") or user_cache_path("takeoff"))


def own_files() -> dict[str, dict[str, str]]:
    """Where the study's own data lie, by data set and key.

    The workflow says it in the environment: where someone's files lie is nothing that a result
    depends on, and what is in a command line or a parameter ends up in logs.
    """
    found: dict[str, dict[str, str]] = json.loads(os.environ.get(OWN_FILES) or "{}")
    return found
