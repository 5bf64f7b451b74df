"""Presets: what they store of a small clip, against numbers of the programs' own libraries."""

import copy

import numpy as np
import pytest
from media_files import ffmpeg, numbered
from scipy.io import wavfile
from test_params import GOOD

from equipoise import params, registry
from equipoise.errors import UserError
from equipoise.modalities.base import reader
from equipoise.modalities.sample import read_sample
from equipoise.params.presets import filled, presets

ALL = [
    pytest.param(dataset, name, modality, id=f"{dataset}/{name}/{modality}")
    for dataset, named in presets().items()
    for name, preset in named.items()
    for modality in preset.modalities
]
#: Preset to some (frequency, time) and what stands there, made of the clip of :func:`heard` by the
#: program's lines with librosa 0.11.0 (np.tile, ``stft(pad_mode="reflect")``, which was the default
#: before 0.9, log(abs + 1e-7)), scipy 1.17.1 (``signal.spectrogram(nperseg=512, noverlap=353)``,
#: log(P + 1e-7)) or torchaudio 2.11.0 (``compliance.kaldi.fbank``), the tenfold clip cut.
GOLDEN = {
    "crema_d/ogm_ge": "5,0:2.818 20,3:-3.887 60,40:-1.884 100,186:-4.437 33,187:-1.456",
    "crema_d/lfm": "5,0:2.818 20,3:-3.887 60,40:-1.884 100,1248:-4.58 33,1249:-0.116",
    "kinetics_sounds/aug": "5,0:2.727 20,3:-4.147 60,40:-3.035 100,1001:-4.365 33,1002:3.541",
    "ave/ours": "5,0:2.818 20,3:-3.887 60,40:-1.884 100,623:-4.278 33,624:-2.781",
    "vggsound/ogm_ge": "5,0:0.455 20,3:-6.476 60,40:-4.459 100,1249:-2.066 33,1250:0.874",
    "crema_d/lfm_paper": "80,7:-9.01 80,297:-9.015 57,3:-16.118 12,25:-13.551 30,60:-14.126",
    "kinetics_sounds/lfm": "80,7:-9.01 80,1002:-9.033 57,3:-16.118 12,25:-13.551 30,60:-14.126",
    "vggsound/authors": "80,7:-9.01 80,1002:-9.033 57,3:-16.118 12,25:-13.551 30,60:-14.126",
    "ave/ogm_ge": "80,7:-16.114 80,1002:-16.118 57,3:-14.099 12,25:-10.434 30,60:-16.097",
    "kinetics_sounds/ogm_ge": (
        "5,0:-12.917 70,30:-8.39 30,200:-12.329 100,120:-4.092 64,999:-15.942"
    ),
}
#: Those whose sound is that of another.
SAME = {
    "crema_d/ours": "crema_d/ogm_ge",
    "crema_d/amss": "crema_d/ogm_ge",
    "crema_d/aug": "crema_d/lfm",
    "crema_d/amss_paper": "crema_d/lfm_paper",
    "crema_d/relearn": "kinetics_sounds/ogm_ge",
    "kinetics_sounds/ours": "kinetics_sounds/aug",
    "kinetics_sounds/amss": "kinetics_sounds/aug",
    "kinetics_sounds/relearn": "kinetics_sounds/ogm_ge",
    "vggsound/ours": "ave/ours",
    "ave/amss": "ave/ogm_ge",
}


def heard(folder, rate):
    """Write 2.5 s at the rate of a preset, so that nothing is resampled: tones and noise."""
    n = np.arange(round(rate * 2.5))
    time = n / rate
    tones = 9000 * np.sin(2 * np.pi * (300 + 400 * time) * time)
    tones += 3000 * np.sin(2 * np.pi * 2500 * time)
    path = folder / "clip.wav"
    wavfile.write(path, rate, np.rint(tones + n * 7919 % 1009 - 504).astype("<i2"))
    return path


def of(dataset, name, modality):
    table = filled({"like": name}, dataset, modality, "here")
    return reader(modality, table["kind"], registry.without(table, "kind", "column"))


@pytest.mark.parametrize(("dataset", "name", "modality"), ALL)
def test_every_preset_is_valid_and_stores_what_it_says(dataset, name, modality):
    preset = presets()[dataset][name]
    table = preset.settings(modality)
    info = registry.kinds()[table["kind"]]
    settings = registry.check(info.settings, registry.without(table, "kind", "column"), name)
    if table["kind"] == "text":
        assert preset.gives[modality] == [2, settings.length]  # a tokenizer is not at hand
        return
    assert [*of(dataset, name, modality).stored().shape] == preset.gives[modality]


def test_every_sound_has_golden_values():
    sounds = {f"{dataset}/{name}" for dataset, name, modality in (p.values for p in ALL)
              if modality == "audio"}  # fmt: skip
    assert sounds == {*GOLDEN, *SAME}
    for name, other in SAME.items():
        one, two = (presets()[key.split("/")[0]][key.split("/")[1]] for key in (name, other))
        assert one.settings("audio") == two.settings("audio"), name


@pytest.mark.parametrize("name", GOLDEN)
def test_the_sound_is_what_the_program_makes_of_it(name, tmp_path):
    own = of(*name.split("/"), "audio")
    stored = read_sample({"m": own}, {"m": heard(tmp_path, own.settings.rate)})["m"].array
    assert [*stored.shape] == presets()[name.split("/")[0]][name.split("/")[1]].gives["audio"]
    for point in GOLDEN[name].split():
        place, value = point.split(":")
        frequency, time = map(int, place.split(","))
        # Half a unit of float16 between 8 and 16, and of the last digit above.
        assert stored[frequency, time] == pytest.approx(float(value), abs=0.0045 + 0.0005), point


@pytest.mark.parametrize(
    ("name", "picked"),
    [
        ("crema_d/ogm_ge", [0]),
        ("crema_d/lfm", [0]),
        ("crema_d/ours", [6, 20]),  # on screen at 0.675 and 2.025 s
        ("crema_d/relearn", [6, 20]),
        ("crema_d/lfm_paper", [4, 13, 22]),  # at 0.45, 1.35 and 2.25 s
        ("kinetics_sounds/aug", [0, 10, 20]),
        ("kinetics_sounds/ours", [4, 13, 22]),
        ("ave/ogm_ge", [0, 26, 26]),  # at 0, 3 and 6 s of 2.7 s: the last is repeated
        ("ave/amss", [13]),  # at 1.35 s, the middle
        ("vggsound/ogm_ge", [0]),
    ],
)
def test_the_frames_are_those_that_it_names(name, picked, tmp_path):
    clip = tmp_path / "numbered.mkv"
    ffmpeg(*numbered("10", 27), "-c:v", "ffv1", str(clip))  # 27 frames of 0.1 s, grey by number
    table = filled({"like": name.split("/")[1], "size": 32, "channels": 1}, name.split("/")[0],
                   "video", "here")  # fmt: skip
    own = reader("m", "frames", registry.without(table, "kind"))
    stored = read_sample({"m": own}, {"m": clip})["m"].array
    shown = [round((float(frame.mean()) * 219 / 255) / 8) for frame in stored]
    assert shown == picked


def entry(**modalities):
    tree = copy.deepcopy(GOOD)
    tree["datasets"] = {"crema_d": {"modalities": modalities}}
    return tree


def test_what_the_modality_says_itself_wins():
    tree = entry(audio={"like": "ogm_ge", "seconds": 2.0, "column": "sound"}, video={"like": "lfm"})
    streams = params.parse(params.Params, tree, "params.yaml").streams_of("crema_d")
    audio = streams["audio"].table()
    assert (audio["rate"], audio["seconds"], audio["fill"]) == (22050, 2.0, "tile")
    assert (audio["column"], streams["video"].settings.pick.count) == ("sound", 1)
    assert "like" not in audio


def test_a_preset_of_another_data_set_is_named_in_full():
    tree = entry(audio={"like": "kinetics_sounds/aug/audio"}, video={"like": "ours"})
    streams = params.parse(params.Params, tree, "params.yaml").streams_of("crema_d")
    assert streams["audio"].settings.rate == 35400


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        ({"like": "ogm"}, "datasets.crema_d.modalities.audio.like: no preset 'crema_d/ogm/audio' "
         "(DATASET/NAME/MODALITY); did you mean 'crema_d/ogm_ge/audio'?"),
        ({"like": "lfm/audio"}, "no preset 'lfm/audio' (DATASET/NAME/MODALITY)"),
        ({"like": 3}, "no preset 'crema_d/3/audio'"),
        ({"like": "ogm_ge", "hops": 1}, "modalities.audio.hops: unknown key; did you mean 'hop'?"),
        ({"like": "ogm_ge", "kind": "frames"}, "modalities.audio"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(audio, said):
    with pytest.raises(UserError) as caught:
        params.parse(params.Params, entry(audio=audio, video={"like": "ours"}), "params.yaml")
    assert said in str(caught.value) and "\n" not in str(caught.value)
