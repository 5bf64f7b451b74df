import pytest

from equipoise.parallel import on_all_cores


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_every_item_once_in_order_whatever_is_given_to_a_thread_at_once(batch):
    assert on_all_cores(lambda n: n * n, range(20), "squares", batch=batch) == [
        n * n for n in range(20)
    ]
    assert on_all_cores(str, [], "nothing", batch=batch) == []
