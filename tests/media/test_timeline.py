from fractions import Fraction

import pytest

from equipoise.media.timeline import Timeline, usual_step
from equipoise.media.wants import Pick


def even(times, end, count):
    return Timeline(Fraction(1), list(times), end).choose(Pick("even", count))


def test_middles_of_equal_parts_by_hand():
    # 25 frames of 40 ms; 5 parts of 200 ms with middles 100, 300, ... -> frames 2, 7, ...
    assert even([40 * n for n in range(25)], 1000, 5) == [2, 7, 12, 17, 22]
    # a middle that falls on the border of two frames shows the later one
    assert even(range(8), 8, 4) == [1, 3, 5, 7]


def test_parts_are_counted_from_the_start_of_the_file():
    # the picture begins at 4 of 8: before, its first frame is all there is to show
    assert even([4, 5, 6, 7], 8, 2) == [0, 2]  # middles 2 and 6
    assert even([4, 5, 6, 7], 8, 4) == [0, 1, 2, 3]


def test_variable_rate_follows_time():
    # frames at 0..3 and then one every 4: the clip ends at 20
    assert even([0, 1, 2, 3, 4, 8, 12, 16], 20, 5) == [2, 4, 5, 6, 7]


def test_one_long_frame_does_not_repeat_while_there_are_others():
    assert even([0, 100, 101, 102], 103, 4) == [0, 1, 2, 3]
    assert even([0, 1, 2, 3], 1000, 4) == [0, 1, 2, 3]


def test_short_clip_repeats_evenly():
    assert even([0, 1, 2], 3, 8) == [0, 0, 0, 1, 1, 2, 2, 2]
    assert even([7], 8, 3) == [0, 0, 0]


@pytest.mark.parametrize("count", [1, 3, 8, 30])
@pytest.mark.parametrize("length", [1, 2, 7, 29, 30, 31, 300])
def test_always_the_exact_count_in_order_and_distinct_when_possible(length, count):
    chosen = even(range(length), length, count)
    assert len(chosen) == count
    assert chosen == sorted(chosen)
    assert chosen[0] >= 0 and chosen[-1] < length
    if length >= count:
        assert len(set(chosen)) == count


def test_every_is_exact_at_the_border_of_frames():
    # 10 frames a second in ticks of 1/1000 s: at 0.3 s the frame of 0.3 s is on screen
    shown = Timeline(Fraction(1, 1000), [100 * n for n in range(10)], 1000)
    assert shown.choose(Pick("every", 4, 0.3)) == [0, 3, 6, 9]
    assert shown.choose(Pick("every", 3, 0.05)) == [0, 0, 1]
    assert shown.choose(Pick("every", 3, 0.9)) == [0, 9, 9]


def test_first():
    shown = Timeline(Fraction(1), [0, 1, 2], 3)
    assert shown.choose(Pick("first", 2)) == [0, 1]
    assert shown.choose(Pick("first", 5)) == [0, 1, 2, 2, 2]


def test_usual_step():
    assert usual_step([0, 1, 2, 3, 13]) == 1
    assert usual_step([5]) == 1
    assert usual_step([5, 5, 9]) == 4
