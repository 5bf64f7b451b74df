"""Sound: spectrograms against torch and torchaudio, windows, masks, loudness."""

import math

import numpy as np
import pytest
import torch
import torchaudio
from scipy import fft, signal, stats

from equipoise import registry
from equipoise.media.errors import MediaError
from equipoise.media.wants import Found
from equipoise.modalities.base import reader
from equipoise.modalities.draws import Dice
from equipoise.modalities.feed import feed
from equipoise.modalities.sound.spectrogram import log_spectrogram

CPU = torch.device("cpu")
RATE = 16000
TABLE = {"rate": RATE, "seconds": 0.5, "n_fft": 400, "hop": 160}


def heard(seconds=0.5):
    time = np.arange(round(RATE * seconds)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(time)) * 0.05
    return (0.5 * np.sin(2 * np.pi * (200 + 2000 * time) * time) + noise).astype(np.float32)


def taken(sound, **settings):
    found = Found(sound, seconds=len(sound) / RATE)
    return reader("voice", "sound", TABLE | settings).take(found)


def made(augment, **settings):
    return feed(reader("voice", "sound", TABLE | settings), "sound", augment)


def dice(count=4000):
    return Dice((0, 1), "voice", count, CPU)


def test_log_magnitudes_are_torchs_stft():
    sound = heard()
    power = torch.stft(
        torch.from_numpy(sound).double(), 512, 160, window=torch.hann_window(512).double(),
        return_complex=True,
    )  # fmt: skip
    expected = np.log(power.abs().numpy() + 1e-7).astype(np.float16)
    ours = log_spectrogram(sound, 512, 160)
    assert ours.shape == (257, 51)
    np.testing.assert_allclose(ours, expected, atol=8e-3)  # a unit of float16 between 4 and 8


@pytest.mark.parametrize(("n_fft", "hop"), [(512, 159), (400, 160)])
def test_log_densities_are_scipys_spectrogram(n_fft, hop):
    sound = heard()
    _, _, density = signal.spectrogram(
        sound.astype(np.float64), RATE, nperseg=n_fft, noverlap=n_fft - hop
    )
    expected = np.log(density + 1e-7)
    ours = taken(sound, features="log_psd", n_fft=n_fft, hop=hop).array
    assert ours.shape == expected.shape == (n_fft // 2 + 1, 1 + (len(sound) - n_fft) // hop)
    np.testing.assert_allclose(ours, expected, atol=8e-3)  # a unit of float16 between 8 and 16


def test_float32_would_not_do():
    sound = np.zeros(8000, np.float32)
    sound[4000:] = 0.9 * np.sin(0.3 * np.arange(4000))
    padded = np.pad(sound, 256, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 512)[::160]
    window = (np.sin(np.pi * np.arange(512) / 512) ** 2).astype(np.float32)
    spectrum = fft.rfft(windows * window, axis=1).T
    assert spectrum.dtype == np.complex64
    single = np.log(np.abs(spectrum) + 1e-7)
    assert np.abs(single - log_spectrogram(sound, 512, 160).astype(np.float64)).max() > 2


def test_blocks_give_the_bytes_of_all_windows_at_once():
    sound = heard(1.3)
    padded = np.pad(sound.astype(np.float64), 256, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 512)[::160]
    window = np.sin(np.pi * np.arange(512) / 512) ** 2
    expected = np.log(np.abs(np.fft.rfft(windows * window, axis=1)).T + 1e-7).astype(np.float16)
    assert np.array_equal(log_spectrogram(sound, 512, 160), expected)


@pytest.mark.parametrize("bands", [{"n_mels": 40}, {"n_mels": 64, "f_min": 60.0, "f_max": 7000.0}])
def test_log_mel_is_torchaudios_mel_spectrogram(bands):
    sound = heard()
    transform = torchaudio.transforms.MelSpectrogram(RATE, n_fft=400, hop_length=160, **bands)
    expected = torch.log(transform(torch.from_numpy(sound)) + 1e-10).numpy()
    ours = taken(sound, features="log_mel", **bands).array
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() < 0.01


@pytest.mark.parametrize("taper", ["povey", "hanning"])
@pytest.mark.parametrize("window", [400, 551])
def test_the_filter_bank_is_kaldis(taper, window):
    sound = heard()
    expected = torchaudio.compliance.kaldi.fbank(
        torch.from_numpy(sound)[None],
        sample_frequency=RATE,
        frame_length=window / 16,
        frame_shift=10,
        num_mel_bins=64,
        window_type=taper,
    ).numpy()
    ours = taken(sound, features="fbank", n_mels=64, taper=taper, n_fft=window).array
    assert ours.shape == expected.T.shape
    assert np.abs(ours - expected.T).max() < 0.01


def test_the_filter_bank_of_silence_is_kaldis():
    ours = taken(np.zeros(8000, np.float32), features="fbank").array
    expected = torchaudio.compliance.kaldi.fbank(
        torch.zeros(1, 8000), sample_frequency=RATE, num_mel_bins=128
    )
    assert np.abs(ours - expected.T.numpy()).max() < 0.01


def test_short_sound_is_filled_and_long_sound_cut_and_both_are_said():
    sound = np.arange(1, 3001, dtype=np.float32) / 4096
    padded = taken(sound, features="waveform")
    assert padded.array[:3000].tolist() == sound.astype(np.float16).tolist()
    assert not padded.array[3000:].any()
    assert padded.facts == {"cut": 0.0, "filled": pytest.approx(5000 / 8000)}
    tiled = taken(sound, features="waveform", fill="tile").array
    assert np.array_equal(tiled[3000:6000], tiled[:3000])
    assert np.array_equal(tiled[6000:], tiled[:2000])
    long = Found(heard(0.5), seconds=2.0)
    facts = reader("voice", "sound", TABLE).take(long).facts
    assert facts == {"cut": pytest.approx(0.75), "filled": 0.0}
    with pytest.raises(MediaError, match="the sound is empty"):
        taken(np.zeros(0, np.float32))


@pytest.mark.parametrize("features", ["log_stft", "log_psd", "log_mel", "fbank", "waveform"])
def test_a_window_has_a_random_place_and_the_middle_in_evaluation(features):
    made_up = made({"window": 0.25}, features=features)
    full, given = made_up.reader.stored().shape, made_up.input().shape
    expected = {
        "log_stft": (201, 26),
        "log_psd": (201, 23),
        "log_mel": (128, 26),
        "fbank": (128, 23),
    }
    assert given == expected.get(features, (4000,))
    time = torch.arange(full[-1]).expand(300, *full)
    middle = made_up.prepare(time, {})
    assert middle.shape == (300, *given)
    start = (full[-1] - given[-1]) // 2
    assert torch.equal(
        middle[0].flatten()[: given[-1]], torch.arange(start, start + given[-1]).float()
    )
    drawn = made_up.draw(dice(300))
    parts = made_up.prepare(time, drawn).reshape(300, -1)[:, : given[-1]]
    assert (parts.diff(dim=1) == 1).all()
    places = full[-1] - given[-1] + 1
    assert stats.kstest((parts[:, 0] + 0.5) / places, "uniform").pvalue > 0.001


def test_a_shift_goes_around():
    made_up = made({"shift": 0.25}, features="waveform", seconds=0.1)
    wave = torch.arange(1600.0).expand(2, 1600)
    moved = made_up.prepare(wave, {"shift": torch.tensor([3, -2])})
    assert moved[0, :5].tolist() == [1597, 1598, 1599, 0, 1]
    assert moved[1, -3:].tolist() == [1599, 0, 1]
    drawn = made_up.draw(dice())["shift"]
    assert (int(drawn.min()), int(drawn.max())) == (-400, 400)


@pytest.mark.parametrize("features", ["log_stft", "log_psd", "log_mel", "fbank"])
def test_gain_is_what_a_louder_recording_gives(features):
    loud, soft = taken(heard() * 2, features=features), taken(heard(), features=features)
    made_up = made({"gain": 10.0}, features=features)
    twice = torch.tensor([20 * math.log10(2)])
    values = made_up.prepare(torch.from_numpy(soft.array)[None], {"gain": twice})[0]
    expected = torch.from_numpy(loud.array).float()
    high = expected > -6
    assert (values - expected).abs()[high].max() < 0.02


def test_gain_of_a_wave():
    made_up = made({"gain": 10.0}, features="waveform", seconds=0.1)
    values = made_up.prepare(torch.ones(1, 1600), {"gain": torch.tensor([20.0])})
    assert torch.allclose(values, torch.full((1, 1600), 10.0))
    drawn = made_up.draw(dice())["gain"]
    assert stats.kstest(drawn, "uniform", (-10, 20)).pvalue > 0.001


def test_masks_have_torchaudios_distribution():
    made_up = made({"mask_time": 0.4, "mask_frequency": 0.3}, seconds=0.49)  # 50 times
    ones = torch.ones(3000, *made_up.reader.stored().shape)
    ours = made_up.prepare(ones, made_up.draw(dice(3000))) == 0
    assert ours.shape[1:] == (201, 50)
    torch.manual_seed(0)
    for axis, longest in ((2, 20), (1, 60)):
        lines = ours.all(dim=3 - axis)
        theirs = torchaudio.functional.mask_along_axis_iid(
            torch.ones(3000, 1, 201, 50), longest, 0.0, axis + 1
        )[:, 0] == 0  # fmt: skip
        theirs = theirs.all(dim=3 - axis)
        for name, of in (("length", lambda x: x.sum(1)), ("start", lambda x: x.int().argmax(1))):
            assert stats.ks_2samp(of(lines), of(theirs)).pvalue > 0.001, name


def test_several_masks():
    made_up = made({"mask_time": 0.2, "masks": 2}, seconds=0.49)
    spans = torch.tensor([[[0.0, 0.1], [0.5, 0.2]]])
    values = made_up.prepare(torch.ones(1, 201, 50), {"mask_time": spans})[0]
    assert (values == 0).all(dim=0).nonzero().flatten().tolist() == [*range(5), *range(25, 35)]


@pytest.mark.parametrize(
    ("settings", "augment", "words"),
    [
        ({"seconds": 0.01}, {}, "0.01 s at 16000 Hz are 160 samples, too few for n_fft 400"),
        ({"f_min": 9000.0}, {}, "f_min and f_max: 0 <= f_min < f_max <= rate / 2 = 8000"),
        ({}, {"window": 0.6}, "augment.window: 0.6 s; stored are 0.5 s"),
        ({"features": "waveform"}, {"mask_frequency": 0.1}, "a waveform has no frequency axis"),
    ],
)
def test_what_contradicts_is_refused(settings, augment, words):
    info = registry.kinds()["sound"]
    with pytest.raises(ValueError) as caught:
        checked = registry.check(info.settings, TABLE | settings, "modalities.voice")
        info.check(checked, registry.check(info.augment, augment, "augment.voice"))
    assert words in str(caught.value)
