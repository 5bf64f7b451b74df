"""CPU time a sample on its way into training: equipoise's feed against the usual loader.

The usual loader does the work in ``__getitem__``, each epoch again: it opens a JPEG of 480 x 360,
crops, scales, flips and normalises it by torchvision, reads 3 s of sound at CREMA-D's 16,000 Hz,
brings them to 22,050 Hz and takes their log-STFT (257 x 299; both by librosa where it is installed,
as the released programs do, else by SciPy). equipoise decoded once, into features; training reads
rows and does the same augmentation on whole batches. Both give float32 batches of 64 in a random
order, in turns, with one thread, and keep the memory of a batch for the next one, as training does.

    python benchmarks/feeding.py [--samples 512] [--rounds 3]
"""

import argparse
import io
import time
import wave
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from workload import SIZES, Store

from equipoise.training.data import Data
from equipoise.training.device import keep_memory

SIZE = "crema_d_one_frame"
RECORDED, RATE, SECONDS, N_FFT, HOP = 16000, 22050, 3.0, 512, 222
TRANSFORM = transforms.Compose(
    [
        transforms.RandomResizedCrop(224),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)


def read(path: Path) -> np.ndarray:
    """Return 3 s at RATE."""
    if find_spec("librosa"):
        import librosa

        return librosa.load(path, sr=RATE)[0]
    from scipy.signal import resample_poly

    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16) / np.float32(32768)
    return resample_poly(sound, RATE // 50, RECORDED // 50)


def log_stft(sound: np.ndarray) -> np.ndarray:
    """Return log-magnitudes (257, 299)."""
    if find_spec("librosa"):
        import librosa

        spectrum = librosa.stft(sound, n_fft=N_FFT, hop_length=HOP)
    else:
        from scipy.signal import stft

        spectrum = stft(sound, nperseg=N_FFT, noverlap=N_FFT - HOP)[2]
    return np.log(np.abs(spectrum) + 1e-7).astype(np.float32)


class Usual(Dataset):
    """Opens the files of a sample whenever it is asked for."""

    def __init__(self, folder: Path, samples: int) -> None:
        self.folder, self.samples = folder, samples
        generator = np.random.default_rng(0)
        for k in range(samples):
            coarse = generator.integers(0, 255, (36, 48, 3), np.uint8)
            picture = Image.fromarray(coarse).resize((480, 360), Image.Resampling.BICUBIC)
            data = io.BytesIO()
            picture.save(data, "JPEG", quality=90)
            (folder / f"{k}.jpg").write_bytes(data.getvalue())
            with wave.open(str(folder / f"{k}.wav"), "wb") as file:
                file.setparams((1, 2, RECORDED, 0, "NONE", ""))
                noise = generator.integers(-9999, 9999, round(RECORDED * SECONDS), np.int16)
                file.writeframes(noise)

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        with Image.open(self.folder / f"{k}.jpg") as picture:
            frame = TRANSFORM(picture.convert("RGB"))
        return frame, torch.from_numpy(log_stft(read(self.folder / f"{k}.wav")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    rows = np.arange(chosen.samples)
    splits = {"train": rows, "val": rows, "test": rows}
    augment = SIZES[SIZE]["augment"]
    data = Data(
        Store(SIZES[SIZE], chosen.samples), splits, torch.device("cpu"), 16.0, None, augment
    )
    times = {"usual": [], "feed": []}
    with TemporaryDirectory() as folder:
        usual = DataLoader(Usual(Path(folder), chosen.samples), batch_size=64, shuffle=True)
        for epoch in range(1, chosen.rounds + 1):
            for name, batches in (("usual", usual), ("feed", data.shuffled(rows, 64, (0, epoch)))):
                begin, count = time.process_time(), 0
                for batch in batches:
                    first = batch[0] if name == "usual" else batch.inputs["video"]
                    count += len(first)
                assert count == chosen.samples
                times[name].append((time.process_time() - begin) / count)
    usual_s, feed_s = (min(times[name]) for name in ("usual", "feed"))
    print(f"STFT of the usual loader: {'librosa' if find_spec('librosa') else 'SciPy'}")
    print(f"usual loader  {usual_s * 1e3:8.3f} CPU ms a sample")
    print(f"feed          {feed_s * 1e3:8.3f} CPU ms a sample")
    print(f"ratio         {usual_s / feed_s:8.1f}  (aim >= 20)")


if __name__ == "__main__":
    main()
