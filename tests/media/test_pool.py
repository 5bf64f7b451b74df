import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from equipoise.errors import UserError
from equipoise.media.decode import decode
from equipoise.media.errors import MediaError, MissingStreamError
from equipoise.media.pool import DecodePool
from equipoise.media.wants import Pick, Pictures


def act(item):
    """Run in a worker: do what the item says."""
    kind, value = item
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "crash once" and not Path(value).exists():
        Path(value).touch()
        os.abort()
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "sleep":
        time.sleep(value)
    if kind == "exit":
        os._exit(3)
    if kind == "media error":
        raise MissingStreamError(value)
    if kind == "bug":
        raise KeyError(value)
    if kind == "array":
        return np.full(300_000, value)  # more than a pipe holds
    return value


def outcomes(items, workers=2, **options):
    with DecodePool(workers, **options) as pool:
        return list(pool.map(act, items))


def test_results_come_in_order_and_large_ones_do_not_block():
    items = [("sleep", 0.05 * (n % 3)) if n % 2 else ("array", n) for n in range(60)]
    found = outcomes(items, 3)
    assert len(found) == 60
    for (kind, value), result in zip(items, found, strict=True):
        assert np.array_equal(result, np.full(300_000, value) if kind == "array" else value)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_costs_one_item(workers):
    items = [("crash" if n in (0, 8) else "give", n) for n in range(30)]
    found = outcomes(items, workers)
    for number, result in enumerate(found):
        if number in (0, 8):
            assert isinstance(result, MediaError) and str(result) == "the decoder crashed"
        else:
            assert result == number


def test_an_item_that_met_a_broken_worker_is_tried_again(tmp_path):
    found = outcomes([("give", 1), ("crash once", str(tmp_path / "was here")), ("give", 2)], 1)
    assert found == [1, str(tmp_path / "was here"), 2]


def test_a_hanging_item_is_killed():
    found = outcomes([("give", 1), ("sleep", 600), ("give", 2)], 1, timeout=20)
    assert found[0] == 1 and found[2] == 2
    assert isinstance(found[1], MediaError) and "hung" in str(found[1])


def test_media_errors_are_results_and_travel_whole():
    error = outcomes([("media error", "heard")], 1)[0]
    assert isinstance(error, MissingStreamError)
    assert error.modality == "heard" and str(error) == "no heard stream"


def test_what_is_no_fault_of_the_file_ends_the_run():
    with pytest.raises(KeyError, match="mine"):
        outcomes([("give", 1), ("bug", "mine")])
    with pytest.raises(UserError, match=r"was killed at \('kill', 5\): out of memory"):
        outcomes([("give", 1), ("kill", 5)])
    with pytest.raises(RuntimeError, match="ended with status 3"):
        outcomes([("exit", 0)])


def test_one_pool_serves_several_calls_and_is_left_early():
    with DecodePool(2) as pool:
        assert list(pool.map(act, [("give", 1)])) == [1]
        for result in pool.map(act, (("give", n) for n in range(10**9))):
            if result == 20:
                break
        assert list(pool.map(len, ["abc", "d"])) == [3, 1]
        assert list(pool.map(act, [])) == []


def test_decodes(clips):
    wants = {"video": Pictures(Pick("even", 8), 32, 32)}
    paths = [clips / name for name in ("plain.mp4", "tone.wav", "numbered.mkv")]
    with DecodePool(2) as pool:
        first, second, third = pool.map(Decode(wants), paths)
    assert np.array_equal(first["video"].array, decode(paths[0], wants)["video"].array)
    assert isinstance(second, MissingStreamError) and second.modality == "video"
    assert third["video"].frames == 25


class Decode:
    def __init__(self, wants):
        self.wants = wants

    def __call__(self, path):
        return decode(path, self.wants)


PARENT = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's "&" has it ignored
sys.path.insert(0, {here!r})
from test_pool import act
from equipoise.media.pool import DecodePool
with DecodePool(2) as pool:
    results = pool.map(act, [("give", 0)] + [("sleep", 600)] * 4)
    next(results)
    print(*[worker.process.pid for worker in pool._workers], flush=True)
    next(results)
"""


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_no_worker_outlives_the_pool(name):
    code = PARENT.format(here=str(Path(__file__).parent))
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    )
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.send_signal(getattr(signal, name))
    parent.wait(120)
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_imports_no_torch_and_is_small(clips):
    with DecodePool(1) as pool:
        wants = {"v": Pictures(Pick("even", 8), 224, 224)}
        list(pool.map(Decode(wants), [clips / "plain.mp4"] * 5))
        status = Path(f"/proc/{pool._workers[0].process.pid}/status").read_text()
        loaded = next(iter(pool.map(loaded_modules, [0])))
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 300_000  # KiB
    assert not {"torch", "scipy", "h5py", "pandas", "matplotlib"} & set(loaded)


def loaded_modules(_):
    return [name for name in sys.modules if "." not in name]
