"""Feature mixing without weights: what MIDAS is without its labels by confidence and its alpha."""

from typing import Annotated

from pydantic import Field

from equipoise.methods.midas import MixOptions
from equipoise.registry import MethodInfo


class Options(MixOptions):
    """Hyper-parameters of the control: those that MIDAS has too, and the law of ``mixup``."""

    concentration: Annotated[float, Field(gt=0)] = 1.0
    """a of the share ~ Beta(a, a) in ``mixup``; ``swap`` does not read it. Origin: ours: any share
    is as likely."""


METHOD = MethodInfo(
    summary="Control of midas: pairs or blends features of two samples, labels by their share.",
    paper="baseline; mixup: Verma et al., Manifold Mixup, ICML 2019, at the features",
    variants=("swap", "mixup"),
    options=Options,
    plugin="equipoise.methods.featuremix.method:FeatureMix",
    modalities=(2, None),
    state="whether the warm-up is over",
    grade="baseline",
    optimizer="none in particular",
)
