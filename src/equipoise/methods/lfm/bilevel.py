"""The gradient of the outer loss with respect to alpha (paper, Eq. 2 and 3).

Vectors over parameters are lists of tensors. Nothing here waits for the device: where an iteration
must stop, its further steps become zero.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from equipoise.methods.modulation import inner

Vector = list[Tensor]
Product = Callable[[Vector], Vector]


def twice_differentiable(model: nn.Module) -> AbstractContextManager[object]:
    """Return the context of forward passes whose gradients are to have gradients.

    On a GPU the recurrent layers of cuDNN have none, and in evaluation mode not even a first one;
    PyTorch's own have both. Models without such layers run as they do elsewhere.

    >>> with twice_differentiable(nn.GRU(1, 1)):
    ...     torch.backends.cudnn.enabled
    False
    """
    if not any(isinstance(module, nn.RNNBase) for module in model.modules()):
        return nullcontext()
    flags: AbstractContextManager[object] = torch.backends.cudnn.flags(enabled=False)
    return flags


def gradient(loss: Tensor, parameters: Sequence[Tensor], differentiable: bool = False) -> Vector:
    """Return the gradient of ``loss``; zero for parameters that it does not depend on."""
    found = torch.autograd.grad(
        loss, parameters, retain_graph=True, create_graph=differentiable, allow_unused=True
    )
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def hessian_product(gradients: Vector, parameters: Sequence[Tensor], damping: float) -> Product:
    """Return v -> (H + damping I) v for the loss whose differentiable ``gradients`` are given."""
    taking = [g for g in gradients if g.requires_grad]

    def product(vector: Vector) -> Vector:
        weights = [v for g, v in zip(gradients, vector, strict=True) if g.requires_grad]
        found = torch.autograd.grad(
            taking, parameters, grad_outputs=weights, retain_graph=True, allow_unused=True
        )
        return [
            damping * v if h is None else h + damping * v
            for h, v in zip(found, vector, strict=True)
        ]

    return product


def conjugate_gradient(product: Product, vector: Vector, steps: int) -> Vector:
    """Return the ``steps``-th iterate of conjugate gradients for H q = v, from q = 0.

    It ends before a direction without positive curvature, which shows that H is not positive
    definite; when that is the first direction, v itself is returned.

    >>> twice = lambda vector: [2 * v for v in vector]
    >>> conjugate_gradient(twice, [torch.tensor([2.0, 4.0])], steps=1)
    [tensor([1., 2.])]
    """
    solution = [torch.zeros_like(v) for v in vector]
    residual, direction = list(vector), list(vector)
    squared = inner(residual, residual)
    going = squared > 0
    for step in range(steps):
        image = product(direction)
        curvature = inner(direction, image)
        going = going & (curvature > 0)
        length = torch.where(going, squared / torch.where(going, curvature, 1.0), 0.0)
        solution = [q + length * d for q, d in zip(solution, direction, strict=True)]
        if step == 0:
            solution = [torch.where(going, q, v) for q, v in zip(solution, vector, strict=True)]
        residual = [r - length * h for r, h in zip(residual, image, strict=True)]
        before, squared = squared, inner(residual, residual)
        going = going & (squared > 0)
        ratio = torch.where(going, squared / torch.where(going, before, 1.0), 0.0)
        direction = [r + ratio * d for r, d in zip(residual, direction, strict=True)]
    return solution


def neumann_series(product: Product, vector: Vector, steps: int, rate: float) -> Vector:
    """Return rate * sum_{k=0}^{steps} (I - rate H)^k v, which tends to H^-1 v for small rates.

    >>> twice = lambda vector: [2 * v for v in vector]
    >>> neumann_series(twice, [torch.tensor([2.0, 4.0])], steps=50, rate=0.1)
    [tensor([1.0000, 2.0000])]
    """
    term = total = list(vector)
    for _ in range(steps):
        term = [t - rate * h for t, h in zip(term, product(term), strict=True)]
        total = [a + t for a, t in zip(total, term, strict=True)]
    return [rate * a for a in total]


def hyper_gradient(
    classification: Tensor,
    matching: Tensor,
    outer: Tensor,
    alpha: Tensor | float,
    parameters: Sequence[Tensor],
    solve: Callable[[Product, Vector], Vector],
    damping: float = 0.0,
) -> Tensor:
    """Return dL_CLS/dalpha = -(grad L_MM - grad L_CLS) . H^-1 grad L_outer, a scalar.

    H is the Hessian of (1 - alpha) L_CLS + alpha L_MM, whose derivative by alpha and parameters is
    grad L_MM - grad L_CLS.

    Args:
        classification: Inner L_CLS with its graph.
        matching: Inner L_MM with its graph.
        outer: Outer L_CLS with its graph.
        alpha: Scalar.
        parameters: The parameters that the inner problem solves for.
        solve: (v -> H v, v) to H^-1 v.
        damping: See :func:`hessian_product`.

    >>> theta = torch.tensor([1.0], requires_grad=True)
    >>> inner, matching, outer = theta.square(), (theta - 2).square(), theta.square()
    >>> once = lambda product, vector: conjugate_gradient(product, vector, steps=1)
    >>> hyper_gradient(inner.sum(), matching.sum(), outer.sum(), 0.5, [theta], once)
    tensor(4.)
    """
    by_class = gradient(classification, parameters, differentiable=True)
    by_match = gradient(matching, parameters, differentiable=True)
    total = [(1 - alpha) * c + alpha * m for c, m in zip(by_class, by_match, strict=True)]
    target = gradient(outer, parameters)
    solved = solve(hessian_product(total, parameters, damping), target)
    mixed = [(m - c).detach() for c, m in zip(by_class, by_match, strict=True)]
    return -inner(mixed, solved)


def released_signal(total: Tensor, outer: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Return what the released code puts in place of the hyper-gradient, a scalar.

    The mean over the first parameter's part of H grad L_outer: a Hessian-vector product, without
    inverse and without mixed derivative.
    """
    gradients = gradient(total, parameters, differentiable=True)
    product = hessian_product(gradients, parameters, 0.0)
    return product(gradient(outer, parameters))[0].mean()
