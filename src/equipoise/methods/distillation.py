"""What a student takes over from a teacher: features and predictions. Shared by umt and g2d."""

import torch
from torch import Tensor
from torch.nn import functional


def feature_distance(features: Tensor, taught: Tensor, summed: bool = False) -> Tensor:
    """Return the squared distance of features (B, D) to those of the teacher (B, D), a scalar.

    The mean over samples and dimensions; ``summed``: the mean over samples of the sum over
    dimensions, |h - t|^2, which is D times as much. No gradient goes to the teacher.

    >>> feature_distance(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]))
    tensor(12.5000)
    """
    distance = functional.mse_loss(features, taught.detach())
    return distance * features.shape[1] if summed else distance


def divergence(logits: Tensor, taught: Tensor, temperature: float = 1.0) -> Tensor:
    """Return T^2 KL(softmax(l / T) || softmax(z / T)), the mean over samples (Hinton et al., 2015).

    >>> round(divergence(torch.zeros(1, 2), torch.tensor([[99.0, 0.0]])).item(), 4)  # log 2
    0.6931

    Args:
        logits: z (B, C) of the student.
        taught: l (B, C) of the teacher; it gets no gradient.
        temperature: T.
    """
    student = torch.log_softmax(logits / temperature, dim=1)
    teacher = torch.log_softmax(taught.detach() / temperature, dim=1)
    loss = functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return loss * temperature**2
