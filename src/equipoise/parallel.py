"""Work on all cores, for jobs that other programs or libraries do outside Python's lock."""

import os
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from equipoise.console import progress

T = TypeVar("T")
R = TypeVar("R")


def on_all_cores(
    work: Callable[[T], R],
    items: Collection[T],
    title: str,
    workers: int | None = None,
    batch: int = 1,
) -> list[R]:
    """Return ``work(item)`` for every item, in order, with a progress bar.

    The first error ends it: what has not begun by then is not done. Only the cores that this
    process may use are counted. Threads suffice where ffmpeg (a process) or hashlib does the work.
    Work that waits for a network does well with more ``workers`` than cores. So many items as
    ``batch`` are given to a thread at once: a million of them one by one take longer than the work.
    """
    results: list[R] = []
    waiting = iter(items)
    batches = list(iter(lambda: list(islice(waiting, batch)), []))
    workers = workers or len(os.sched_getaffinity(0))
    with progress(len(items), title) as bar, ThreadPoolExecutor(workers) as pool:
        try:
            for done in pool.map(lambda some: list(map(work, some)), batches):
                results += done
                bar.advance(len(done))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results
