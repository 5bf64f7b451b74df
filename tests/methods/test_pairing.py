"""Partners and re-paired batches."""

from collections import Counter

import torch

from equipoise.methods.pairing import partners, partners_of_other_class, repaired


def test_partners_are_a_permutation_that_the_generator_decides():
    torch.manual_seed(3)
    one, state = partners(50, torch.device("cpu")), torch.get_rng_state()
    two = partners(50, torch.device("cpu"))
    assert sorted(one.tolist()) == sorted(two.tolist()) == list(range(50))
    assert not torch.equal(one, two)
    torch.set_rng_state(state)
    assert torch.equal(partners(50, torch.device("cpu")), two)


def test_partners_of_another_class_are_drawn_evenly_among_all_of_them():
    torch.manual_seed(0)
    labels = torch.tensor([0, 1, 1, 2])
    drawn = Counter()
    for _ in range(3000):
        partner, known = partners_of_other_class(labels)
        assert known.all() and (labels[partner] != labels).all()
        drawn.update(enumerate(partner.tolist()))
    assert set(drawn) == {(0, j) for j in (1, 2, 3)} | {(3, j) for j in (0, 1, 2)} | {
        (i, j) for i in (1, 2) for j in (0, 3)
    }
    for (i, _), count in drawn.items():
        assert abs(count / 3000 - (1 / 2 if i in (1, 2) else 1 / 3)) < 0.05  # five deviations


def test_a_batch_of_one_class_has_no_partners():
    assert not partners_of_other_class(torch.tensor([4, 4, 4]))[1].any()
    assert partners_of_other_class(torch.tensor([4]))[0].tolist() == [0]


def test_replaced_modalities_come_from_the_partner_and_others_stay():
    values = {"audio": torch.arange(3.0), "video": torch.arange(6.0).view(3, 2)}
    found = repaired(values, torch.tensor([2, 0, 0]), ["video"])
    assert found["audio"].tolist() == [0, 1, 2]
    assert found["video"].tolist() == [[4, 5], [0, 1], [0, 1]]
    assert values["video"].tolist() == [[0, 1], [2, 3], [4, 5]]
