"""The four ways to train the same cells, with the real engine on a small task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import toy

from takeoff.errors import TakeoffError
from takeoff.experiments import speed_training
from takeoff.progress import Progress
