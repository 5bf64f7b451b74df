"""The adapter over transformers: every architecture of its table, pooling, and what it refuses."""

import json

import numpy as np
import pytest
import torch
import transformers
from encoder_settings import SPEECH, tiny
from safetensors.torch import load_file, save_file

from equipoise.errors import UserError
from equipoise.modalities.base import Input
from equipoise.models import loading, weights
from equipoise.models.build import build_encoder, complete
from equipoise.models.encoders.pretrained.architectures import ARCHITECTURES
from equipoise.models.encoders.pretrained.network import build, configuration
from equipoise.params import Encoder
from equipoise.registry import check, encoders

TEXT = {"vocab_size": 50, "max_position_embeddings": 20, "pad_token_id": 0}
SMALL = {**TEXT, "embedding_size": 16}
PICTURE = {"image_size": 32, "patch_size": 16}
MAPS = {"hidden_sizes": [8, 16], "depths": [1, 1]}
CLIP = {**PICTURE, "num_frames": 4}
CONFIGS = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "mpnet", "deberta-v2"), TEXT),
    **dict.fromkeys(("electra", "albert"), SMALL),
    "distilbert": {**TEXT, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "modernbert": {**TEXT, **dict.fromkeys(("bos_token_id", "cls_token_id"), 1), "eos_token_id": 2},
    **dict.fromkeys(("vit", "deit", "beit", "clip_vision_model", "siglip_vision_model"), PICTURE),
    "dinov2": PICTURE,
    "swin": {
        "image_size": 32,
        "embed_dim": 8,
        "depths": [1, 1],
        "num_heads": [1, 2],
        "window_size": 4,
    },
    "resnet": {**MAPS, "embedding_size": 8, "layer_type": "basic"},
    "convnext": {"hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]},
    **dict.fromkeys(("wav2vec2", "hubert", "wavlm"), SPEECH),
    "audio-spectrogram-transformer": {"max_length": 32, "num_mel_bins": 16},
    "videomae": {**CLIP, "tubelet_size": 2},
    "vivit": {**CLIP, "tubelet_size": [2, 16, 16]},
    "timesformer": CLIP,
}
CONFIGS["modernbert"] |= {"sep_token_id": 2}
STAGES = ("swin", "resnet", "convnext")
GIVEN = {
    "tokens": Input("tokens", (2, 7), vocabulary=50),
    "pictures": Input("pictures", (4, 3, 32, 32)),
    "waveform": Input("waveform", (400,)),
    "spectrogram": Input("spectrogram", (16, 32)),
}
CASES = [(name, pooling) for name, known in ARCHITECTURES.items() for pooling in known.poolings]


def made(name, pooling="", given=None, **changes):
    given = given or GIVEN[ARCHITECTURES[name].layout]
    own = {"config": {"model_type": name, **CONFIGS[name]}}  # what has stages, not equal layers
    base = own if name in STAGES else tiny(name, **{**CONFIGS[name], **changes})
    values = {**base, "pooling": pooling}
    torch.manual_seed(0)
    return build(given, 5, check(encoders()["pretrained"].options, values, "options"))


def batch(given, count=2):
    generator = torch.Generator().manual_seed(0)
    if given.layout != "tokens":
        return torch.randn(count, *given.shape, generator=generator)
    ids = torch.randint(3, 50, (count, 7), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 4:] = ids[1, 4:] = 0
    return torch.stack([ids, mask], dim=1)


def test_the_configurations_are_of_all_architectures():
    assert CONFIGS.keys() == ARCHITECTURES.keys()


@pytest.mark.parametrize(("name", "pooling"), CASES, ids=["-".join(case) for case in CASES])
def test_every_pooling_of_every_architecture(name, pooling):
    """Training twice gives the same, and every weight that is trained has a gradient."""
    encoder = made(name, pooling).train()
    inputs = batch(GIVEN[ARCHITECTURES[name].layout])
    vectors = encoder.embed(inputs)
    assert vectors.shape == (2, encoder.width)
    assert torch.equal(vectors, encoder.embed(inputs))
    (vectors * torch.arange(1.0, 3.0)[:, None]).square().sum().backward()
    for weight, parameter in encoder.body.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, weight
    chances = [m for m in encoder.modules() if isinstance(m, torch.nn.Dropout) and m.p > 0]
    assert not chances


def test_the_mean_of_texts_is_over_what_is_no_padding():
    encoder = made("bert", "mean").eval()
    inputs = batch(GIVEN["tokens"])
    with torch.no_grad():
        found = encoder.embed(inputs)
        states = encoder.body(input_ids=inputs[1:, 0, :4]).last_hidden_state[0]
    np.testing.assert_allclose(found[1], states.mean(0), atol=1e-6)
    changed = inputs.clone()
    changed[1, 0, 4:] = 9  # what stands in the padding is nobody's business
    with torch.no_grad():
        torch.testing.assert_close(encoder.embed(changed), found)


def test_the_mean_of_pictures_is_over_patches_and_frames():
    encoder = made("vit", "mean").eval()
    inputs = batch(GIVEN["pictures"], 1)
    with torch.no_grad():
        states = [encoder.body(pixel_values=inputs[:, f]).last_hidden_state[0] for f in range(4)]
        expected = torch.stack([state[1:].mean(0) for state in states]).mean(0)
        torch.testing.assert_close(encoder.embed(inputs)[0], expected)


def test_grey_pictures_are_three_equal_channels():
    encoder = made("vit", given=Input("pictures", (1, 1, 32, 32))).eval()
    grey = torch.randn(2, 1, 1, 32, 32)
    with torch.no_grad():
        whole = encoder.embed(grey.expand(-1, -1, 3, -1, -1))
        assert torch.equal(encoder.embed(grey), whole)


def test_waveforms_are_levelled_where_the_folder_says_so(tmp_path):
    config = configuration(tiny("wav2vec2", **SPEECH)["config"])
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True}))
    chosen = complete(Encoder(name="pretrained"), weights.place(str(tmp_path)))
    encoder = build_encoder(chosen, GIVEN["waveform"], 5).eval()
    sound = batch(GIVEN["waveform"])
    with torch.no_grad():
        torch.testing.assert_close(encoder.embed(3 * sound + 1), encoder.embed(sound))
    (tmp_path / "preprocessor_config.json").unlink()
    assert not complete(Encoder(name="pretrained"), weights.place(str(tmp_path))).options["level"]


@pytest.mark.parametrize(
    ("name", "changes", "given", "message"),
    [
        ("bert", {}, Input("waveform", (9,)), "reads tokens, not waveform"),
        ("bert", {"vocab_size": 20}, None, "knows 20 tokens, the tokenizer of the text has 50"),
        ("bert", {"max_position_embeddings": 5}, None, "reads up to 5 tokens, not 7"),
        ("roberta", {"max_position_embeddings": 8}, None, "reads up to 6 tokens, not 7"),
        ("vit", {}, Input("pictures", (1, 3, 64, 64)), "pictures of 32 x 32, not 64 x 64"),
        ("vit", {}, Input("pictures", (1, 2, 32, 32)), r"reads 3 channels \(or grey\), not 2"),
        ("videomae", {"num_frames": 8}, None, "reads 8 frames, not 4; pick so many"),
        ("audio-spectrogram-transformer", {"max_length": 64}, None, "16 bands x 64 times"),
        ("bert", {"hidden_size": "x"}, None, "config.json is refused"),
    ],
)
def test_what_it_cannot_read_is_refused(name, changes, given, message):
    with pytest.raises(UserError, match=message):
        made(name, given=given, **changes)


def test_a_pooling_that_is_random_is_refused():
    with pytest.raises(UserError, match=r"vit has no pooling 'pooler'.* use cls or mean"):
        made("vit", "pooler")
    with pytest.raises(UserError, match="no rule of pooling for model_type 'gpt2'"):
        options = check(encoders()["pretrained"].options, tiny("gpt2"), "options")
        build(GIVEN["tokens"], 5, options)


@pytest.fixture
def folder(tmp_path):
    """A masked language model: no pooler, and a head that nobody wants."""
    config = configuration(tiny("bert", **TEXT)["config"])
    torch.manual_seed(7)
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path)
    return tmp_path


def loaded(folder, **options):
    placed = weights.place(str(folder))
    chosen = complete(Encoder(name="pretrained", options=options), placed)
    encoder = build_encoder(chosen, GIVEN["tokens"], 5)
    loading.load(encoder, placed)
    return encoder.eval(), chosen


def test_a_folder_gives_the_vectors_of_transformers_itself(folder):
    encoder, chosen = loaded(folder, pooling="cls")
    network = transformers.BertForMaskedLM.from_pretrained(folder).eval().bert
    inputs = batch(GIVEN["tokens"])
    with torch.no_grad():
        expected = network(input_ids=inputs[:, 0], attention_mask=inputs[:, 1])[0][:, 0]
        torch.testing.assert_close(encoder.embed(inputs), expected)
    # A trained model is built again without the folder.
    again = build_encoder(chosen, GIVEN["tokens"], 5).eval()
    again.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        assert torch.equal(again(inputs), encoder(inputs))
    assert all(parameter.dtype == torch.float32 for parameter in encoder.parameters())


def test_weights_in_memory_do_not_follow_the_file(folder):
    encoder, _ = loaded(folder)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    path = folder / "model.safetensors"
    with path.open("r+b") as file:
        file.seek(-4000, 2)
        file.write(b"\xff" * 4000)
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())


def test_a_pooler_that_the_file_lacks_is_refused(folder):
    with pytest.raises(UserError, match=r"missing: pooler.dense.bias.*name another pooling"):
        loaded(folder, pooling="pooler")


def changed(folder, change):
    path = folder / "model.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("bert.encoder.layer.1.output.dense.bias"), "missing: encoder.layer.1"),
        (lambda s: s.update({"bert.extra": torch.zeros(2)}), "unexpected: bert.extra"),
        (lambda s: s.update({"bert.encoder.layer.1.output.dense.bias": torch.zeros(3)}), "read"),
    ],
)
def test_weights_that_do_not_fit_their_configuration_are_refused(folder, change, message):
    changed(folder, change)
    with pytest.raises(UserError, match=message):
        loaded(folder)


def test_a_folder_without_a_configuration_or_with_a_damaged_one_is_refused(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config.json: not JSON"):
        loaded(folder)
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match=r"config.json: no such file"):
        loaded(folder)
