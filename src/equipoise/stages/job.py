"""What every stage is told besides its settings: which cell of the grid it is and how to run."""

from dataclasses import dataclass, field

from equipoise.params import Runtime


@dataclass(frozen=True)
class Job:
    """One cell of the grid. Files are named by :mod:`equipoise.layout`, settings come beside it."""

    stage: str
    dataset: str = ""
    method: str = ""
    """Key in params.yaml: ``<method>[-<variant>[-<label>]]``."""
    seed: int = 0
    threads: int = 1
    runtime: Runtime = field(default_factory=Runtime)
    code: str = ""
    """Digest of the source files behind the job, as the workflow reads them; empty without it."""
    part: int | None = None
    """Of stage extract: which part of the data set; None: what joins them."""

    @property
    def name(self) -> str:
        """``keypad/lfm-heuristic/seed0``, without the parts that do not apply."""
        seed = f"seed{self.seed}" if self.stage in ("warmup", "gap", "train", "evaluate") else ""
        part = "" if self.part is None else f"part{self.part}"
        return "/".join(filter(None, (self.dataset, self.method, seed, part))) or self.stage
