"""Losses and weights of equipoise.functional are finite on odd batches, and so are gradients."""

import pytest
import torch

from equipoise import functional as eq

#: Method to its loss, from logits and features by modality, and labels.
LOSSES = {
    "tcmax": lambda z, h, y: eq.tcmax_loss(z, y),
    "dgl": lambda z, h, y: eq.dgl_loss(z["a"], z, y, 4.0),
    "mbsd": lambda z, h, y: eq.mbsd_loss(z, y, corrected=False),
    "mnl": lambda z, h, y: eq.mnl_loss(z, eq.mnl_guides(z, y), y, 0.7, released=False),
    "cml": lambda z, h, y: eq.cml_rises([*z.values()]),
    "cml, masks": lambda z, h, y: eq.cml_official_rises([*z.values()], y),
    "pmr": lambda z, h, y: eq.pmr_loss(z, y, 1.0, 0.1)[0],
    "reconboost": lambda z, h, y: eq.reconboost_loss(z["a"], z["b"], y, 5.0, 1.0),
    "aug": lambda z, h, y: eq.aug_loss([*z.values()], y, 0.33, joint=False),
    "lfm, js": lambda z, h, y: eq.matching_loss(z, eq.jensen_shannon),
    "lfm": lambda z, h, y: eq.matching_loss(h, lambda a, b: eq.infonce(a, b, 0.07)),
    "g2d": lambda z, h, y: eq.distillation_divergence(z["a"], z["b"], 2.0),
    "umt": lambda z, h, y: eq.feature_distance(h["a"], h["b"]),
    "gmm": lambda z, h, y: eq.gmm_loss(h["a"].sum(1), gaps(z, y), MIXTURE, eq.GmmOptions()),
    "mla": lambda z, h, y: eq.mla_fused(z, None).sum(),
    "agm": lambda z, h, y: eq.mean_log_probability(z["a"], y),
    "arl": lambda z, h, y: eq.arl_inverse_variance(z).square().sum(),
    "midas": lambda z, h, y: midas(z, y),
}
#: Method to weights that its gradients or samples get.
WEIGHTS = {
    "ogm": lambda z, h, y: torch.stack([*eq.ogm_coefficients(ratios(z, y), 0.8).values()]),
    "opm": lambda z, h, y: opm(z, y),
    "arl": lambda z, h, y: eq.arl_weights(eq.arl_dependence(z), eq.arl_inverse_variance(z), 8.0),
    "amss": lambda z, h, y: eq.amss_shares(eq.amss_information(z, h, y, released=False)[1], 0.25),
    "bss": lambda z, h, y: eq.bss_agreement(z),
    "remix": lambda z, h, y: torch.stack([eq.remix_information(v) for v in z.values()]),
}
MIXTURE = eq.Mixture((0.1, 0.5), (0.01, 0.05), (0.6, 0.4), identifiable=True)
LABELS = {"one sample": [1], "one class": [2, 2, 2], "a class absent": [0, 1, 1, 0]}


def gaps(logits, labels):
    return eq.gap(eq.true_class_scores(logits, labels))


def ratios(logits, labels):
    return eq.relative_scores(eq.true_class_scores(logits, labels))


def opm(logits, labels):
    rates = eq.opm_drop_rates(eq.opm_advantages(eq.true_class_scores(logits, labels)), 0.5, 0.5)
    return torch.cat([rates, eq.opm_rescale(rates)[None]])


def midas(logits, labels):
    """Return the loss of all mixtures, and what moves the weight."""
    partner, valid = eq.partners_of_other_class(labels)
    sure = {m: eq.true_class_score(z.detach(), labels) for m, z in logits.items()}
    sets = []
    for m in logits:
        parts = eq.midas_shares(eq.repaired(sure, partner, [m]))
        of = eq.repaired(dict.fromkeys(sure, labels), partner, [m])
        sets.append(eq.Mixtures(logits["a"], of, parts, torch.zeros_like(parts[m]), m))
    ones = dict.fromkeys(sure, torch.ones((), dtype=logits["a"].dtype))
    moved = eq.midas_under_use(sets, torch.tensor(0), valid)
    return (eq.midas_loss(sets, ones) * valid).mean() + moved


def made(size, names, labels, dtype):
    """Return logits (B, 3) and features (B, 4) of such a size, with gradients."""
    generator = torch.Generator().manual_seed(0)

    def draw(width):
        x = size * torch.randn(len(labels), width, generator=generator, dtype=torch.float64)
        return x.to(dtype).requires_grad_()

    return {m: draw(3) for m in names}, {m: draw(4) for m in names}


every_batch = [
    pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS),
    pytest.mark.parametrize("size", [0.0, 1.0, 1000.0], ids=["zeros", "usual", "sure"]),
    pytest.mark.parametrize("names", ["ab", "abc"], ids=["2", "3"]),
    pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str),
]


def on_every_batch(test):
    for mark in every_batch:
        test = mark(test)
    return test


@on_every_batch
def test_losses_and_their_gradients_are_finite(labels, size, names, dtype):
    y = torch.tensor(labels)
    for method, loss in LOSSES.items():
        z, h = made(size, names, labels, dtype)
        value = loss(z, h, y)
        assert value.shape == () and value.isfinite(), method
        assert value.dtype == dtype, method
        found = torch.autograd.grad(value, [*z.values(), *h.values()], allow_unused=True)
        assert all(g is None or g.isfinite().all() for g in found), method
        assert any(g is not None for g in found), method


@on_every_batch
@torch.no_grad()
def test_weights_are_finite(labels, size, names, dtype):
    z, h = made(size, names, labels, dtype)
    for method, weight in WEIGHTS.items():
        value = weight(z, h, torch.tensor(labels))
        assert value.isfinite().all() and (value >= -1e-6).all(), method


def test_an_encoder_that_is_frozen_has_no_gradient_to_speak_of():
    weight = torch.nn.Parameter(torch.ones(2, 2), requires_grad=False)
    assert eq.inforeg_squared_length([weight]) == eq.inforeg_mean_squares([weight]) == 0
    eq.inforeg_pull([weight], [torch.zeros(2, 2)], torch.tensor(1.0))
    eq.scale_gradients([weight], torch.tensor(0.5))
    eq.add_gradient_noise([weight], eq.gradient_deviations([weight]))
    assert weight.grad is None
    half, angle = eq.mmpareto_weights([], [])
    assert (float(half), float(angle)) == (0.5, 0.0)
    assert eq.masam_perturbation([], [], 0.3) == []
