"""SimBaMM: cross-entropy on the logits of the fusion of that name, which holds the formula."""

from collections.abc import Mapping
from typing import Any

from equipoise.errors import UserError
from equipoise.methods.base import Method
from equipoise.methods.simbamm import Options
from equipoise.models.fusion import Simbamm
from equipoise.models.fusion.transformer import Size
from equipoise.models.multimodal import MultimodalClassifier
from equipoise.training.run import Run, make_optimizer, parameter_groups


class SimbammMethod(Method[Options]):
    """The plug-in: the size of the transformer is an option, the rest is joint training."""

    _drawn = False

    def fusion(self, default: str) -> str:
        """Return the transformer."""
        return Simbamm.name

    def attach(self, model: MultimodalClassifier, structure: Mapping[str, Any]) -> None:
        """Give the transformer its size; weights that are loaded later must have it."""
        super().attach(model, structure)
        fusion = model.fusion
        assert isinstance(fusion, Simbamm)  # noqa: S101  see fusion
        wanted = Size(**self.options.model_dump())
        if fusion.size != wanted:
            fusion.resize(wanted)
            self._drawn = True

    def setup(self, run: Run) -> None:
        """Let the optimiser train the layers that :meth:`attach` drew.

        Raises:
            UserError: That would throw away the layers of a warm-up.
        """
        super().setup(run)
        if not self._drawn:
            return
        if run.first_epoch > 1:
            raise UserError(
                "simbamm: the warm-up has a transformer of another size than these options; leave "
                "the options out, or train from scratch"
            )
        run.optimizer = make_optimizer(parameter_groups(run.model), run.settings)
