"""What a column of a table can hold; `takeoff.datasets.encoding` says what is made of it."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["number", "category", "boolean", "date", "text", "ignore"]
KINDS: tuple[Kind, ...] = get_args(Kind)
