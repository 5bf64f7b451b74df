"""Work on all cores, for jobs that other programs or libraries do outside Python's lock."""

import os
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from equipoise.console import progress

T = TypeVar("T")
R = TypeVar("R")


def on_all_cores(
    work: Callable[[T], R], items: Collection[T], title: str, workers: int | None = None
) -> list[R]:
    """Return ``work(item)`` for every item, in order, with a progress bar.

    The first error ends it: what has not begun by then is not done. Only the cores that this
    process may use are counted. Threads suffice where ffmpeg (a process) or hashlib does the work.
    Work that waits for a network does well with more ``workers`` than cores.
    """
    results = []
    workers = workers or len(os.sched_getaffinity(0))
    with progress(len(items), title) as bar, ThreadPoolExecutor(workers) as pool:
        try:
            for result in pool.map(work, items):
                results.append(result)
                bar.advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results
