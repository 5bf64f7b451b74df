"""A request to stop: at once, at the end of a block, once."""

import os
import signal
import threading

import pytest

from equipoise.errors import Stopped
from equipoise.training.signals import SIGNALS, Stop


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_acts_at_once(number):
    before = signal.getsignal(number)
    done = []
    with pytest.raises(Stopped) as stopped, Stop().catch():
        send(number)
        done.append("went on")
    assert stopped.value.signal == number.name and not done
    assert signal.getsignal(number) == before


def test_a_held_block_ends_first():
    done, stop = [], Stop()
    with pytest.raises(Stopped, match="stopped by SIGUSR1"), stop.catch():
        with stop.held():
            send(signal.SIGUSR1)
            send(signal.SIGTERM)  # the time limit itself, after its announcement
            done.append(stop.name)
        done.append("went on")
    assert done == ["SIGUSR1"]


def test_the_error_of_a_held_block_is_not_lost():
    stop = Stop()
    with pytest.raises(ZeroDivisionError), stop.catch(), stop.held():
        send(signal.SIGTERM)
        _ = 1 / 0


def test_later_signals_do_not_disturb_the_end():
    done = []
    with pytest.raises(Stopped, match="stopped by SIGTERM"), Stop().catch():
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGTERM)
            send(signal.SIGUSR1)
            done.append("cleaned up")
    assert done == ["cleaned up"]


def test_a_second_ctrl_c_ends_at_once():
    stop = Stop()
    with pytest.raises(KeyboardInterrupt), stop.catch(), stop.held():
        send(signal.SIGINT)
        send(signal.SIGINT)


def test_no_handler_outside_the_main_thread():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with Stop().catch():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
