"""Memory that is freed stays with the process."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of mallopt's parameters in glibc's malloc.h
LARGEST_MMAP_THRESHOLD = 32 * 2**20  # glibc takes no larger one
NEVER_TRIM = 2**30


def keep_freed_memory() -> bool:
    """Tell glibc not to give freed arrays back to the system, only to ask for them again.

    By default it does for arrays above 128 kB, and then every step of a network pays for mapping
    its activations and gradients anew, page by page: up to a third of the step.

    Returns:
        Whether the C library took the advice; others than glibc don't know it.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return False
    return bool(
        mallopt(MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD) and mallopt(TRIM_THRESHOLD, NEVER_TRIM)
    )
