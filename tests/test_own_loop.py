"""docs/use-in-your-own-loop.md: its blocks run in their order, and the models have learnt."""

import re
from pathlib import Path

import pytest
import torch

from equipoise import functional

PAGE = (Path(__file__).parents[1] / "docs/use-in-your-own-loop.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
LIGHTNING = [block for block in BLOCKS if "lightning" in block]


def run(blocks):
    space = {}
    for block in blocks:
        exec(compile(block, "use-in-your-own-loop.md", "exec"), space)
    return space


def accuracy(space, model):
    with torch.no_grad():
        _, _, z = model(space["inputs"])
    return float((z.argmax(1) == space["labels"]).float().mean())


@pytest.fixture(scope="module")
def plain():
    return run([block for block in BLOCKS if block not in LIGHTNING])


def test_five_methods_are_shown_and_every_name_exists():
    used = set(re.findall(r"\beq\.(\w+)", "\n".join(BLOCKS)))
    assert used <= set(functional.__all__)
    parts = ("ogm_", "lfm_", "mmpareto_", "pmr_", "gmm_")
    assert all(any(name.startswith(part) for name in used) for part in parts)


@pytest.mark.parametrize("name", ["ogm", "lfm", "pareto", "pmr", "gmm"])
def test_the_model_of_each_method_has_learnt(plain, name):
    assert accuracy(plain, plain["Model"]()) < 0.7  # a new one
    assert accuracy(plain, plain[f"{name}_model"]) > 0.95
    first = plain["fit"](plain[{"pareto": "mmpareto"}.get(name, name)], steps=1)[1]
    assert plain[f"{name}_loss"] < first


def test_the_mixture_of_the_page_was_found(plain):
    assert plain["mixture"].means and plain["mixture"].samples == 48


def test_the_lightning_module_trains_and_scales_the_dominant_encoder(monkeypatch):
    pytest.importorskip("pytorch_lightning", reason="an extra of development: pytorch-lightning")
    seen = []
    scale = functional.scale_gradients

    def watched(parameters, factor):
        seen.append(float(factor))
        scale(parameters, factor)

    monkeypatch.setattr(functional, "scale_gradients", watched)
    space = run([BLOCKS[0], *LIGHTNING])
    assert len(seen) == 5 * 3 * 2  # epochs, batches, modalities
    audio, video = seen[::2], seen[1::2]
    assert min(audio) < 0.5 and all(
        min(pair) < 1 == max(pair) for pair in zip(audio, video, strict=True)
    )
    assert accuracy(space, space["module"].model) > 0.9
