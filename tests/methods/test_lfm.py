"""LFM: losses, schedules and the gradient of the weight against values worked out here."""

import copy
import math
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import toy_data
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from torch import nn

from equipoise.errors import UserError
from equipoise.methods.base import Batch
from equipoise.methods.lfm import Options
from equipoise.methods.lfm.alignment import infonce, jensen_shannon, matching_loss
from equipoise.methods.lfm.bilevel import (
    conjugate_gradient,
    hyper_gradient,
    neumann_series,
    released_signal,
)
from equipoise.methods.lfm.method import Lfm
from equipoise.methods.lfm.schedules import alpha, fitted
from equipoise.models import fusion as fusions
from equipoise.models.multimodal import MultimodalClassifier
from equipoise.training.loop import Trainer

SCHEDULES = ["heuristic", "exponential", "polynomial", "cubic", "constant", "step"]


def model(fusion="concat", features=3, classes=3, inputs=4):
    torch.manual_seed(0)
    modalities = ["audio", "video"]
    encoders = {m: nn.Linear(inputs, features) for m in modalities}
    fused = fusions.build(fusion, modalities, features, classes)
    return MultimodalClassifier(encoders, fused, features, classes).double()


def batch(count=6, seed=1, classes=3, inputs=4):
    generator = torch.Generator().manual_seed(seed)
    x = {
        m: torch.randn(count, inputs, generator=generator, dtype=torch.float64)
        for m in ("audio", "video")
    }
    return Batch(x, torch.arange(count) % classes, torch.arange(count))


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def test_infonce_equals_its_definition_term_by_term():
    generator = np.random.default_rng(3)
    x, y, tau = generator.normal(size=(5, 7)), generator.normal(size=(5, 7)), 0.3
    total = 0.0
    for i in range(5):
        row = [math.exp(cosine(x[i], y[k]) / tau) for k in range(5)]
        column = [math.exp(cosine(x[k], y[i]) / tau) for k in range(5)]
        total += math.log(row[i] / sum(row)) + math.log(column[i] / sum(column))
    expected = -total / (2 * 5)
    got = infonce(torch.from_numpy(x), torch.from_numpy(y), tau)
    assert float(got) == pytest.approx(expected, rel=1e-12)


def test_infonce_of_two_orthogonal_pairs_by_hand():
    # s = identity, tau = 1: each of the four terms is log(e / (e + 1)).
    x = torch.eye(2, dtype=torch.float64)
    assert float(infonce(x, x, 1.0)) == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-12)


def test_infonce_ignores_length_and_the_order_of_modalities_and_samples():
    x, y = torch.randn(2, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    value = infonce(x, y, 0.1)
    order = torch.tensor([3, 1, 0, 5, 4, 2])
    torch.testing.assert_close(infonce(3 * x, 0.2 * y, 0.1), value)
    torch.testing.assert_close(infonce(y, x, 0.1), value)
    torch.testing.assert_close(infonce(x[order], y[order], 0.1), value)


def test_three_modalities_take_the_mean_over_the_three_pairs():
    x, y, z = torch.randn(3, 6, 4, dtype=torch.float64)
    divergence = partial(infonce, tau=0.2)
    expected = (infonce(x, y, 0.2) + infonce(x, z, 0.2) + infonce(y, z, 0.2)) / 3
    torch.testing.assert_close(matching_loss({"a": x, "b": y, "c": z}, divergence), expected)
    torch.testing.assert_close(matching_loss({"c": z, "a": x, "b": y}, divergence), expected)


@pytest.mark.parametrize(
    ("epoch", "value"),
    [(1, 0.632), (2, 0.393), (5, 0.181), (10, 0.095), (20, 0.049), (100, 0.010)],
)
def test_the_heuristic_schedule_has_the_published_values(epoch, value):
    assert alpha("heuristic", epoch, 100, 0.5) == pytest.approx(value, abs=5e-4)


def test_the_other_schedules_by_hand():
    assert [alpha("constant", t, 4, 0.3) for t in (1, 4)] == [0.3, 0.3]
    assert [alpha("step", t, 4, 0.95) for t in (1, 2, 3, 4)] == pytest.approx(
        [0.95, 0.95, 0.05, 0.05]
    )
    assert alpha("cubic", 5, 30, 0.5) == 1.0  # 1.01625 before clipping
    assert alpha("cubic", 20, 30, 0.5) == pytest.approx(1.2 - 2.6 + 0.64 + 1)
    assert alpha("cubic", 26, 30, 0.5) == pytest.approx(2.6364 - 4.394 + 0.832 + 1)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_alpha_is_a_weight(schedule):
    values = [alpha(schedule, t, 250, level) for t in range(1, 251) for level in (0.0, 0.4, 1.0)]
    assert all(0 <= value <= 1 for value in values)


def test_lfm_mixes_classification_and_matching_by_alpha():
    net, data, method = model(), batch(), Lfm("heuristic", Options(tau=0.5))
    output = net(data.inputs)
    method._alpha, method._sum, method._steps = 0.25, torch.zeros(()), 0
    ce = nn.functional.cross_entropy(output.logits, data.labels)
    mm = infonce(output.features["audio"], output.features["video"], 0.5)
    torch.testing.assert_close(method.loss(output, data), 0.75 * ce + 0.25 * mm)


def test_the_schedules_of_the_released_code_have_its_values():
    epochs = [0, 10, 20, 50, 100, 140, 160, 199]
    expected = [0.205, 0.248, 0.301, 0.437, 0.539, 0.743, 0.901, 0.916]
    got = [1 - alpha("polynomial", e + 1, 200, 0.5) for e in epochs]
    assert got == pytest.approx(expected, abs=5.1e-4)
    assert alpha("polynomial", 181, 200, 0.5) == 0.0  # 1 - 1.008 there
    got = [alpha("exponential", t, 20, 0.5) for t in (1, 2, 6, 12)]
    assert got == pytest.approx([0.95, math.exp(-0.3), math.exp(-1.5), 0.05])


def distributions(count=5, classes=4):
    generator = torch.Generator().manual_seed(8)
    z = torch.randn(2, count, classes, generator=generator, dtype=torch.float64)
    return z, z.softmax(2).numpy()


def test_js_is_that_of_scipy_and_the_swapped_form_has_its_arguments_exchanged():
    (x, y), (p, q) = distributions()
    expected = np.mean([jensenshannon(a, b) ** 2 for a, b in zip(p, q, strict=True)])
    assert float(jensen_shannon(x, y)) == pytest.approx(expected, rel=1e-10)
    m = (p + q) / 2
    expected = np.mean(
        [0.5 * entropy(c, a) + 0.5 * entropy(c, b) for a, b, c in zip(p, q, m, strict=True)]
    )
    assert float(jensen_shannon(x, y, swapped=True)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("swapped", [False, True])
def test_js_properties(swapped):
    (x, y), _ = distributions()
    value = jensen_shannon(x, y, swapped)
    torch.testing.assert_close(jensen_shannon(y, x, swapped), value)
    assert float(value) > 0
    assert abs(float(jensen_shannon(x, x + 3, swapped))) < 1e-12
    far = torch.tensor([[200.0, 0.0]]).requires_grad_()
    other = torch.tensor([[0.0, 200.0]]).requires_grad_()
    value = jensen_shannon(far, other, swapped)
    value.backward()
    value = value.detach()
    assert value.isfinite() and far.grad.isfinite().all()
    if not swapped:
        assert float(value) == pytest.approx(math.log(2))  # its upper bound


def test_on_logits_the_mean_of_the_heads_classifies():
    net, data = model("late"), batch()
    output = net(data.inputs)
    method = Lfm("released_code", Options())
    assert method.heads == "trained" and method.fusion("concat") == "late"
    z = (output.modality_logits["audio"] + output.modality_logits["video"]) / 2
    torch.testing.assert_close(method.predict(output).logits, z)
    method._alpha, method._sum, method._steps = 0.25, torch.zeros(()), 0
    js = jensen_shannon(*output.modality_logits.values(), swapped=True)
    expected = 2 * (0.75 * nn.functional.cross_entropy(z, data.labels) + 0.25 * js)
    torch.testing.assert_close(method.loss(output, data), expected)


class Convex:
    """Two linear classifiers whose mean classifies and whose outputs are to agree; strongly convex.

    The inner problem is solved to the end by Newton's method.
    """

    def __init__(self):
        self.inner, self.outer = batch(9, seed=5), batch(7, seed=6)

    def losses(self, theta, data):
        first, second = theta.reshape(2, 4, 3)
        z, y = data.inputs["audio"] @ first, data.inputs["video"] @ second
        ridge = 0.05 * (theta**2).sum()
        classification = nn.functional.cross_entropy((z + y) / 2, data.labels) + ridge
        return classification, ((z - y) ** 2).mean() + ridge

    def solve(self, weight):
        def total(theta):
            classification, matching = self.losses(theta, self.inner)
            return (1 - weight) * classification + weight * matching

        theta = torch.zeros(24, dtype=torch.float64)
        for _ in range(30):
            hessian = torch.autograd.functional.hessian(total, theta)
            theta = theta - torch.linalg.solve(
                hessian, torch.autograd.functional.jacobian(total, theta)
            )
        assert torch.autograd.functional.jacobian(total, theta).abs().max() < 1e-12
        return theta

    def after(self, weight):
        theta = self.solve(weight)
        return float(self.losses(theta, self.outer)[0])

    def hyper(self, weight, solver):
        theta = self.solve(weight).requires_grad_()
        classification, matching = self.losses(theta, self.inner)
        outer, _ = self.losses(theta, self.outer)
        return float(hyper_gradient(classification, matching, outer, weight, [theta], solver))


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
def test_the_hyper_gradient_is_the_slope_of_the_outer_loss_of_resolved_inner_problems(weight):
    problem, h = Convex(), 1e-4
    slope = (problem.after(weight + h) - problem.after(weight - h)) / (2 * h)
    assert abs(slope) > 1e-3
    exact = problem.hyper(weight, partial(conjugate_gradient, steps=40))
    assert exact == pytest.approx(slope, rel=1e-6)
    series = problem.hyper(weight, partial(neumann_series, steps=1500, rate=0.1))
    assert series == pytest.approx(slope, rel=1e-6)


def test_the_first_order_form_has_a_multiple_of_the_identity_for_the_inverse():
    problem = Convex()
    theta = problem.solve(0.5).requires_grad_()
    cls, mm = (
        torch.autograd.grad(x, theta, retain_graph=True)[0]
        for x in problem.losses(theta, problem.inner)
    )
    outer = torch.autograd.grad(problem.losses(theta, problem.outer)[0], theta)[0]
    got = problem.hyper(0.5, partial(neumann_series, steps=0, rate=0.2))
    assert got == pytest.approx(float(-0.2 * (mm - cls) @ outer), rel=1e-10)


def test_conjugate_gradients_solve_in_as_many_steps_as_dimensions():
    generator = torch.Generator().manual_seed(3)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    h, v = root @ root.T + torch.eye(6), torch.arange(6.0, dtype=torch.float64)
    parts = [v[:2], v[2:]]
    got = conjugate_gradient(lambda x: list((h @ torch.cat(x)).split([2, 4])), parts, 6)
    torch.testing.assert_close(torch.cat(got), torch.linalg.solve(h, v))
    zero = conjugate_gradient(lambda x: [h @ x[0]], [torch.zeros(6, dtype=torch.float64)], 3)
    assert not zero[0].any()


def test_conjugate_gradients_stop_where_curvature_is_not_positive():
    v = torch.tensor([1.0, 2.0])
    down = conjugate_gradient(lambda x: [-x[0]], [v], 4)
    assert torch.equal(down[0], v)
    # First direction: curvature 2 of squared length 2; the next one goes down, the first stays.
    h = torch.diag(torch.tensor([3.0, -1.0]))
    got = conjugate_gradient(lambda x: [h @ x[0]], [torch.ones(2)], 5)
    torch.testing.assert_close(got[0], torch.ones(2))  # 2 / 2 * (1, 1)


def dense(net, method, data, weight, other):
    """Hessian of the total loss, gradients of both inner losses and of the outer one, all flat."""
    names = [n for n, _ in net.named_parameters()]
    shapes = [p.shape for p in net.parameters()]
    theta = torch.cat([p.detach().flatten() for p in net.parameters()])

    def losses(flat, on):
        pieces = flat.split([s.numel() for s in shapes])
        values = {n: x.reshape(s) for n, x, s in zip(names, pieces, shapes, strict=True)}
        output = torch.func.functional_call(net, values, (on.inputs,))
        return method._classification(output, on.labels), method._matching(output)

    def total(flat):
        classification, matching = losses(flat, data)
        return (1 - weight) * classification + weight * matching

    jacobian = torch.autograd.functional.jacobian
    return (
        torch.autograd.functional.hessian(total, theta),
        *jacobian(lambda flat: losses(flat, data), theta),
        jacobian(lambda flat: losses(flat, other)[0], theta),
    )


@pytest.fixture
def exact(monkeypatch):
    """Keep float64 through the model, which otherwise gives float32."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


def learner(variant, fusion, **options):
    net, method = model(fusion), Lfm(variant, Options(**options))
    method.attach(net, {})
    method.run = SimpleNamespace(model=net, device=torch.device("cpu"), seed=0)
    method._alpha, method._updates, method._since = 0.5, 0, 0
    return net, method


@pytest.mark.parametrize("alignment", ["infonce", "js"])
def test_alpha_moves_by_the_damped_dense_solution(exact, monkeypatch, alignment):
    fusion = "concat" if alignment == "infonce" else "late"
    options = {
        "alignment": alignment,
        "tau": 0.5,
        "damping": 5.0,
        "solver_steps": 80,
        "largest_step": 1,
    }
    net, method = learner("learned", fusion, **options)
    data, other = batch(), batch(5, seed=9)
    monkeypatch.setattr(method, "_outer_batch", lambda: other)
    hessian, cls, mm, outer = dense(net, method, data, 0.5, other)
    damped = hessian + 5.0 * torch.eye(len(hessian), dtype=torch.float64)
    assert torch.linalg.eigvalsh(damped)[0] > 0
    slope = -(mm - cls) @ torch.linalg.solve(damped, outer)
    method._learn(data)
    assert float(0.5 - method._alpha) == pytest.approx(0.05 * float(slope), rel=1e-7)
    assert all(p.grad is None for p in net.parameters()) and net.training


def test_one_step_of_the_weight_is_limited(exact, monkeypatch):
    _, method = learner("learned", "concat", alpha_rate=1e6, largest_step=0.2)
    monkeypatch.setattr(method, "_outer_batch", lambda: batch(5, seed=9))
    method._learn(batch())
    assert abs(float(method._alpha) - 0.5) == pytest.approx(0.2)


class Recurrent(nn.GRU):
    """Notes for each forward pass whether cuDNN could have run it."""

    def forward(self, inputs):
        self.cudnn.append(torch.backends.cudnn.enabled)
        return super().forward(inputs[:, None])[0][:, 0]


@pytest.mark.parametrize("variant", ["learned", "released_code"])
def test_recurrent_layers_have_a_second_derivative_on_a_gpu_too(exact, monkeypatch, variant):
    """Those of cuDNN have none, so it must not run them where the weight is learned."""
    net, method = learner(variant, "late" if variant == "released_code" else "concat")
    net.encoders["audio"] = recurrent = Recurrent(4, 3, batch_first=True).double()
    recurrent.cudnn, data = [], batch()
    monkeypatch.setattr(method, "_outer_batch", lambda: batch(5, seed=9))
    method.run.data = SimpleNamespace(ordered=lambda rows, n: iter([data]))
    method._outer = np.arange(12)
    if variant == "learned":
        method._learn(data)
    else:
        method._move_as_released(1.0)
    assert recurrent.cudnn and not any(recurrent.cudnn)
    assert torch.backends.cudnn.enabled and float(method._alpha) != 0.5


def test_the_weight_stays_within_its_bounds():
    for rate, sign in ((1e9, 1), (1e9, -1)):
        _, method = learner("learned", "concat", alpha_rate=rate)
        method._move(torch.tensor(rate * sign), 0.0, 1.0)
        assert float(method._alpha) == (0.0 if sign > 0 else 1.0)
    method._alpha = torch.tensor(0.3)
    method._move(torch.tensor(float("nan")), 0.0, 1.0)
    assert float(method._alpha) == pytest.approx(0.3)


def test_the_shortcut_of_the_released_code_is_its_definition(exact):
    net, method = learner("released_code", "late")
    data = batch()
    hessian, _, _, outer = dense(net, method, data, 0.5, data)
    first = next(net.parameters())
    expected = (hessian @ outer)[: first.numel()].mean()
    output = net(data.inputs)
    cls, mm = method._classification(output, data.labels), method._matching(output)
    got = released_signal(0.5 * cls + 0.5 * mm, cls, list(net.parameters()))
    torch.testing.assert_close(got, expected)
    method._outer = np.arange(16)
    asked = []
    method.run.data = SimpleNamespace(ordered=lambda rows, n: asked.append(rows) or iter([data]))
    method._move_as_released(0.1)
    assert asked[0].tolist() == list(range(8))
    assert float(0.5 - method._alpha) == pytest.approx(0.1 * float(expected))


def program(net, data, k1, rate):
    """One call of getAlpha_Learnable, with differences of gradients for the Hessian's product."""
    parameters = list(net.parameters())

    def gradients(shift):
        running = {n: b.clone() for n, b in net.named_buffers()}
        with torch.no_grad():
            for p, d in zip(parameters, shift, strict=True):
                p += d
        z = [net.heads[m](net.encoders[m](data.inputs[m])) for m in ("audio", "video")]
        p, q = (v.softmax(1) for v in z)
        m = (p + q) / 2
        align = sum((m * (m / x).log()).sum(1).mean() for x in (p, q)) / 2
        cls = nn.functional.cross_entropy((z[0] + z[1]) / 2, data.labels)
        both = [torch.autograd.grad(v, parameters, retain_graph=True) for v in (cls, align)]
        with torch.no_grad():
            for p, d in zip(parameters, shift, strict=True):
                p -= d
            for name, value in net.named_buffers():
                value.copy_(running[name])
        return both[0], [(1 - k1) * a + k1 * b for a, b in zip(*both, strict=True)]

    cls, _ = gradients([torch.zeros_like(p) for p in parameters])
    h = 1e-5
    up, down = (gradients([s * h * g for g in cls])[1] for s in (1, -1))
    slope = float(((up[0] - down[0]) / (2 * h)).mean())
    return min(max(k1 - rate * slope, 0.05), 0.95), slope


def test_three_epochs_of_the_released_program_move_alpha_as_it_does(exact):
    """Before the first epoch, too, and then in training mode, which moves running statistics."""
    net, method = learner("released_code", "late", alpha_rate=1.0, alpha_start=0.5)
    for m in ("audio", "video"):
        net.encoders[m] = nn.Sequential(net.encoders[m], nn.BatchNorm1d(3).double())
    other = copy.deepcopy(net)
    data = batch(8, seed=3)
    method._outer, method._inner = np.arange(16), np.arange(16, 32)
    method.run.first_epoch, method.run.last_epoch = 1, 3
    method.run.data = SimpleNamespace(ordered=lambda rows, n: iter([data]))
    k1, found, slopes = 0.5, [], []
    for epoch in (1, 2, 3):
        other.train(epoch == 1)
        k1, slope = program(other, data, k1, 1.0)
        if epoch == 1:  # the one pass of the program in training mode
            other(data.inputs)
        found.append(k1)
        slopes.append(slope)
        method.on_epoch_start(epoch)
        assert float(method._alpha) == pytest.approx(k1, abs=1e-8)
        torch.testing.assert_close(dict(net.named_buffers()), dict(other.named_buffers()))
        assert net.training
        with torch.no_grad():  # some training, of both alike
            for model_ in (net, other):
                for p in model_.parameters():
                    p.mul_(1.1)
    assert all(abs(s) > 1e-4 for s in slopes)
    assert found == pytest.approx([0.467556, 0.471707, 0.478703], abs=1e-6)


def test_the_polynomial_program_is_not_clipped_and_has_the_factor_two():
    """1 - k0 worked out in fractions; negative in its epochs 177 to 188, counted from 0."""
    expected = {0: 0.795376296, 100: 0.460844804, 183: -0.01054039, 199: 0.08401125}
    for e, value in expected.items():
        assert fitted(e + 1) == pytest.approx(value, abs=1e-8)
    assert [e for e in range(200) if fitted(e + 1) < 0] == list(range(177, 189))
    method = Lfm("released_polynomial", Options())
    method.run = SimpleNamespace(first_epoch=1, last_epoch=200, device=torch.device("cpu"))
    method._inner, method._updates = None, 0
    assert method.on_epoch_start(184).rows is None  # nothing is held out
    net, data = model("late"), batch()
    output = net(data.inputs)
    z = output.modality_logits
    js = jensen_shannon(z["audio"], z["video"], swapped=True)
    ce = nn.functional.cross_entropy((z["audio"] + z["video"]) / 2, data.labels)
    k1 = fitted(184)
    torch.testing.assert_close(method.loss(output, data), 2 * ((1 - k1) * ce + k1 * js))


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()


@pytest.mark.parametrize("outer", ["held_out", "validation"])
def test_the_outer_loss_sees_no_sample_of_the_inner_one_and_never_the_test_split(
    project, monkeypatch, outer
):
    inner, seen = set(), set()
    step, draw = Trainer._step, Lfm._outer_batch

    def trained(self, epoch, number, data):
        inner.update(data.rows.tolist())
        step(self, epoch, number, data)

    def drawn(self):
        found = draw(self)
        seen.update(found.rows.tolist())
        return found

    monkeypatch.setattr(Trainer, "_step", trained)
    monkeypatch.setattr(Lfm, "_outer_batch", drawn)
    toy_data.run_train("lfm-learned", {"outer": outer, "inner_steps": 1, "held_out": 6})
    splits = {name: set(rows.tolist()) for name, rows in toy_data.splits().items()}
    if outer == "held_out":
        assert seen < splits["train"] and len(seen) == 6 and inner == splits["train"] - seen
    else:
        assert seen <= splits["val"] and inner == splits["train"]
    assert not inner & seen and not (inner | seen) & splits["test"]


def test_too_many_held_out_samples_are_refused(project):
    with pytest.raises(UserError, match=r"held_out \(35\) leaves fewer than 2 of 36"):
        toy_data.run_train("lfm-learned", {"held_out": 35})


class Killed(BaseException):
    """Ends a run as a killed process does."""


@pytest.mark.parametrize("solver", ["cg", "neumann", "first_order"])
def test_learning_the_weight_resumes_to_the_same_bytes(project, monkeypatch, solver):
    options = {"solver": solver, "inner_steps": 2, "held_out": 2}
    run = partial(toy_data.run_train, "lfm-learned", options)
    expected = {name: path.read_bytes() for name, path in run().items()}
    step = Trainer._step
    for stop_at in (3, 4, 7, 10):
        done = []

        def dies(self, *arguments, done=done, stop_at=stop_at):
            if len(done) == stop_at:
                raise Killed
            done.append(step(self, *arguments))

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Trainer, "_step", dies)
            run()
        assert {name: path.read_bytes() for name, path in run().items()} == expected
    rows = expected["history"].decode().splitlines()
    column = rows[0].split(",").index("method_alpha")
    values = [float(row.split(",")[column]) for row in rows[1:]]
    assert len(set(values)) > 1 and all(0 <= value <= 1 for value in values)
