"""The small encoders: shapes, gradients, and what they must not throw away."""

import pytest
import torch

from equipoise.modalities.base import Input
from equipoise.models.encoders.conv_clip import Options as ClipOptions
from equipoise.models.encoders.conv_clip import network as conv_clip
from equipoise.models.encoders.conv_frames import network as conv_frames
from equipoise.models.encoders.conv_spectrogram import network as conv_spectrogram
from equipoise.models.encoders.conv_speech import network as conv_speech
from equipoise.section import Section


def frames(*shape, features=64):
    return conv_frames.build(Input("pictures", shape), features, Section())


def spectrogram(module, *shape, features=64):
    return module.build(Input("spectrogram", shape), features, Section())


@pytest.mark.parametrize(
    "shape", [(4, 3, 32, 32), (1, 3, 48, 40), (1, 1, 28, 28), (3, 3, 9, 8), (2, 5, 16, 16)]
)
def test_frames_to_features(shape):
    features = frames(*shape, features=24)(torch.randn(5, *shape))
    assert features.shape == (5, 24)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("encoder", [conv_spectrogram, conv_speech])
@pytest.mark.parametrize("shape", [(129, 51), (65, 8), (9, 8), (129, 1)])
def test_spectrogram_to_features(encoder, shape):
    features = spectrogram(encoder, *shape, features=24)(torch.randn(5, *shape))
    assert features.shape == (5, 24)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize(
    ("encoder", "inputs"),
    [
        (frames(2, 3, 32, 32), torch.randn(4, 2, 3, 32, 32)),
        (spectrogram(conv_spectrogram, 129, 20), torch.randn(4, 129, 20)),
        (spectrogram(conv_speech, 129, 40), torch.randn(4, 129, 40)),
    ],
)
def test_every_parameter_is_reached_by_the_gradient(encoder, inputs):
    encoder(inputs).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def tone(row, frequencies=129, time=51):
    sound = torch.zeros(1, frequencies, time)
    sound[:, row] = 3.0
    return sound


def test_where_a_tone_lies_in_frequency_is_kept():
    """Neighbouring telephone tones are two to three rows apart: features must differ clearly."""
    torch.manual_seed(0)
    encoder = spectrogram(conv_spectrogram, 129, 51).eval()
    with torch.no_grad():
        here, near, far = (encoder(tone(row))[0] for row in (22, 25, 60))
    assert (here - near).norm() > 0.3 * here.norm()
    assert (here - far).norm() > 0.3 * here.norm()


def test_when_a_tone_sounds_matters_little():
    torch.manual_seed(0)
    encoder = spectrogram(conv_spectrogram, 129, 52).eval()
    early, late = torch.zeros(1, 129, 52), torch.zeros(1, 129, 52)
    early[..., 22, 12:24] = 3.0
    late[..., 22, 28:40] = 3.0  # shifted by a multiple of the time stride
    with torch.no_grad():
        torch.testing.assert_close(encoder(early), encoder(late))


def test_the_order_of_frames_does_not_matter_but_their_content_does():
    torch.manual_seed(0)
    encoder = frames(4, 3, 32, 32, features=16).eval()
    clip = torch.randn(2, 4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(encoder(clip), encoder(clip.flip(1)))
        assert not torch.allclose(encoder(clip), encoder(clip.flip(4)))


def clip_encoder(frames, features=16, **options):
    given = Input("pictures", (frames, 1, 16, 20))
    return conv_clip.build(given, features, ClipOptions(**options))


def test_a_clip_keeps_the_order_of_its_frames():
    torch.manual_seed(0)
    encoder = clip_encoder(8, moments=4).eval()
    clip = torch.randn(2, 8, 1, 16, 20)
    with torch.no_grad():
        plain, reversed_ = encoder(clip), encoder(clip.flip(1))
    assert (plain - reversed_).norm() > 0.05 * plain.norm()


@pytest.mark.parametrize(("frames", "moments"), [(8, 4), (7, 3), (2, 5)])
def test_the_moments_of_a_clip_are_adaptive_average_pooling(frames, moments):
    torch.manual_seed(0)
    encoder = clip_encoder(frames, moments=moments, width=8).eval()
    clip = torch.randn(3, frames, 1, 16, 20)
    with torch.no_grad():
        expected = torch.nn.functional.adaptive_avg_pool1d(encoder.body(clip), moments).flatten(1)
        torch.testing.assert_close(encoder.embed(clip), expected)


def alive_after_twenty_steps(encoder, clips):
    """Train on labels that cannot be learned; return the share of features ever above 0."""
    head = torch.nn.Linear(64, 10)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=0.002)
    for step in range(20):
        labels = torch.randint(10, (len(clips),), generator=torch.Generator().manual_seed(step))
        torch.nn.functional.cross_entropy(head(encoder(clips)), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    return float((encoder(clips) > 0).any(dim=0).float().mean())


def test_clips_that_are_nearly_alike_do_not_kill_the_features_of_a_clip():
    """One talker before one camera (docs/real-data.md): conv_frames dies in some twenty steps."""
    torch.manual_seed(0)
    clips = torch.randn(1, 1, 1, 24, 30) + 0.05 * torch.randn(16, 4, 1, 24, 30)
    clip = conv_clip.build(Input("pictures", (4, 1, 24, 30)), 64, ClipOptions())
    assert alive_after_twenty_steps(clip, clips) > 0.3
    assert alive_after_twenty_steps(frames(4, 1, 24, 30), clips) < 0.15


def test_position_in_the_frame_is_kept():
    torch.manual_seed(0)
    encoder = frames(1, 3, 32, 32).eval()
    left, right = torch.zeros(1, 1, 3, 32, 32), torch.zeros(1, 1, 3, 32, 32)
    left[..., 8:24, 6:10] = 3.0
    right[..., 8:24, 22:26] = 3.0
    with torch.no_grad():
        one, other = encoder(left)[0], encoder(right)[0]
    assert (one - other).norm() > 0.3 * one.norm()


@pytest.mark.parametrize("shape", [(2, 3, 17, 11), (1, 1, 5, 2), (2, 1, 32, 8)])
def test_the_grid_is_adaptive_average_pooling(shape):
    maps = torch.randn(shape, dtype=torch.float64)
    expected = torch.nn.functional.adaptive_avg_pool2d(maps, (8, 4))
    torch.testing.assert_close(conv_speech._grid(maps), expected)


def test_speech_does_not_hear_the_loudness_but_the_order():
    torch.manual_seed(0)
    encoder = spectrogram(conv_speech, 129, 40).eval()
    clip = torch.randn(1, 129, 40)
    with torch.no_grad():
        plain, louder, reversed_ = encoder(clip), encoder(clip + 5.0), encoder(clip.flip(2))
    torch.testing.assert_close(plain, louder, rtol=1e-3, atol=1e-4)
    assert (plain - reversed_).norm() > 0.05 * plain.norm()
