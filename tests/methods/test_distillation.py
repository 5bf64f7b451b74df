"""UMT and G2D: what a student takes over, by values worked out apart from the code (G2D's sample).

One sample, three classes: z, the teacher's logits and both features as below; the values were
computed in plain Python with ``math.exp`` and ``math.log``.
"""

import math

import pytest
import torch
from small import batch, model
from torch import nn

from equipoise.methods.base import Batch, create
from equipoise.methods.distillation import divergence, feature_distance
from equipoise.models.multimodal import Output
from equipoise.training.run import Run

Z = torch.tensor([[0.4, -0.1, 0.2]], dtype=torch.float64)
TAUGHT = {
    "audio": torch.tensor([[1.0, 0.0, -1.0]], dtype=torch.float64),
    "video": torch.tensor([[0.0, 2.0, -1.0]], dtype=torch.float64),
}
H = {
    "audio": torch.tensor([[1.0, 2.0]], dtype=torch.float64),
    "video": torch.tensor([[0.0, -1.0]], dtype=torch.float64),
}
T = {
    "audio": torch.tensor([[0.5, 1.0]], dtype=torch.float64),
    "video": torch.tensor([[1.0, 1.0]], dtype=torch.float64),
}
CE = 0.8859393176684559


class Sample:
    """A run whose teacher says of one batch what the sample says."""

    def __init__(self):
        self.model, self.device = model(features=2), torch.device("cpu")
        self.first_epoch, self.last_epoch = 1, 4

    def taught(self, data):
        return Output(T, TAUGHT, Z)


def loss_of(key, options, epoch=1, features=H):
    method = create(key, options)
    run = Sample()
    method.attach(run.model, {})
    method.setup(run)
    method.on_epoch_start(epoch)
    output = Output(features, {}, Z)
    data = Batch({}, torch.tensor([0]), torch.tensor([0]))
    return method, float(method.loss(output, data))


def test_the_divergence_of_the_predictions():
    found = {m: float(divergence(Z, logits)) for m, logits in TAUGHT.items()}
    assert found == pytest.approx({"audio": 0.1939140859899921, "video": 0.7919720814082662})
    assert float(divergence(Z, Z, 3.0)) == pytest.approx(0.0, abs=1e-12)
    # Two classes by hand, T = 2: p = softmax(0, 1), q = softmax(0, 0), times T^2.
    p = 1 / (1 + math.e)
    by_hand = 4 * (p * math.log(2 * p) + (1 - p) * math.log(2 * (1 - p)))
    found = divergence(torch.zeros(1, 2), torch.tensor([[0.0, 2.0]]), 2.0)
    assert float(found) == pytest.approx(by_hand, rel=1e-5)


def test_the_distance_of_the_features():
    assert {m: float(feature_distance(H[m], T[m])) for m in H} == {"audio": 0.625, "video": 2.5}
    assert {m: float(feature_distance(H[m], T[m], True)) for m in H} == {"audio": 1.25, "video": 5}


def test_neither_gives_the_teacher_a_gradient():
    taught = torch.ones(2, 3, requires_grad=True)
    student = torch.zeros(2, 3, requires_grad=True)
    (feature_distance(student, taught) + divergence(student, taught)).backward()
    assert taught.grad is None and student.grad is not None


def test_the_loss_of_umt():
    _, loss = loss_of("umt", {"weight": 10.0})
    assert loss == pytest.approx(32.13593931766846)
    assert loss_of("umt", {"weight": 0.0})[1] == pytest.approx(CE)
    h = H["audio"].clone().requires_grad_()
    method = create("umt", {"weight": 10.0})
    run = Sample()
    method.attach(run.model, {})
    method.setup(run)
    data = Batch({}, torch.tensor([0]), torch.tensor([0]))
    method.loss(Output({"audio": h, "video": H["video"]}, {}, Z), data).backward()
    torch.testing.assert_close(h.grad, torch.tensor([[5.0, 10.0]], dtype=torch.float64))


def test_umt_reports_the_mean_distances_of_the_epoch():
    method, _ = loss_of("umt", {})
    assert method.on_epoch_end(1, {}) == {"distance_audio": 0.625, "distance_video": 2.5}
    method.on_epoch_start(2)
    assert method.on_epoch_end(2, {}) == {}


def test_the_loss_of_g2d():
    assert loss_of("g2d-released_code", {})[1] == pytest.approx(4.996825485066714)
    assert loss_of("g2d-paper", {})[1] == pytest.approx(4.996825485066714 + 3.125)
    assert loss_of("g2d", {"alpha": 0.0, "beta": 0.0})[1] == pytest.approx(CE)
    predictions = loss_of("g2d", {"alpha": 0.0, "beta": 2.0})[1] - CE
    assert predictions == pytest.approx(2 * (0.1939140859899921 + 0.7919720814082662))
    assert loss_of("g2d", {"beta": 0.0}, features=T)[1] == pytest.approx(CE)


def test_g2d_reports_its_terms():
    method, _ = loss_of("g2d-released_code", {}, epoch=4)
    row = method.on_epoch_end(4, {})
    assert row["distance_features"] == pytest.approx(3.125)
    assert row["distance_predictions"] == pytest.approx(0.1939140859899921 + 0.7919720814082662)
    assert row["kappa_audio"] == row["kappa_video"] == 1.0


def test_g2d_lets_the_less_sure_modality_lead():
    """rho is 0.665 for audio and 0.114 for video: video leads alone."""
    run = Sample()
    data = Batch(batch(count=1).inputs, torch.tensor([0]), torch.tensor([0]))
    method = create("g2d", {})
    method.attach(run.model, {})
    method.setup(run)
    assert method.on_epoch_start(1).phase == "solo1"
    output = run.model(data.inputs)
    nn.functional.cross_entropy(output.logits, data.labels).backward()
    before = {n: p.grad.clone() for n, p in run.model.named_parameters() if p.grad is not None}
    method._taught = run.taught(data)
    method.after_backward(output, data)
    for name, parameter in run.model.named_parameters():
        if name in before:
            kept = 0.0 if name.startswith("encoders.audio") else 1.0
            torch.testing.assert_close(parameter.grad, kept * before[name])
    assert method.on_epoch_end(1, {})["kappa_audio"] == 0.0
    assert method.on_epoch_start(3).phase is None


def test_the_sample_run_is_what_a_run_offers():
    """The stand-in above has no more than the real class."""
    assert hasattr(Run, "taught")
    assert {"model", "device", "first_epoch", "last_epoch"} <= Run.__dataclass_fields__.keys()
