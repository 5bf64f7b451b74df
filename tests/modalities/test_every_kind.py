"""What holds for every kind of modality, run on every row of the table."""

import io
import json
import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from modality_settings import ROWS
from PIL import Image

from equipoise import registry
from equipoise.audit import near
from equipoise.modalities.base import finite, reader
from equipoise.modalities.draws import Dice
from equipoise.modalities.feed import feed
from equipoise.modalities.packing import joined
from equipoise.modalities.sample import read_sample
from equipoise.store import shards
from equipoise.store.features import SCHEMA_VERSION, FeatureStore
from equipoise.store.join import Plan, join
from equipoise.store.shards import Shard

every = pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
devices = pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=[CUDA, pytest.mark.gpu])]
)
SAMPLES = 4


@pytest.fixture(scope="module")
def readings(tmp_path_factory):
    """Return a function: row to its reader, sources and readings, made once."""
    made = {}

    def of(row):
        if row.id not in made:
            folder = tmp_path_factory.mktemp("samples")
            own = reader("m", row.kind, row.settings)
            sources = [row.write(folder, n) for n in range(SAMPLES)]
            made[row.id] = own, sources, [read_sample({"m": own}, {"m": s})["m"] for s in sources]
        return made[row.id]

    return of


def batch(found):
    return torch.from_numpy(np.stack([reading.array for reading in found]))


def fed(row, own, found, device="cpu", augment=None):
    """Return the feed of a row, bound to the statistics of its samples."""
    feeding = feed(own, row.kind, augment or {})
    feeding.bind(feeding.statistics([batch(found).numpy()]), torch.device(device))
    return feeding


def test_the_table_has_every_kind():
    assert {row.kind for row in ROWS} == set(registry.kinds())


def test_kinds_and_readers_are_imported_without_torch():
    """Parameters are checked, and files are decoded, by processes that never load it."""
    code = (
        "import sys\n"
        "from importlib import import_module\n"
        "from equipoise import registry\n"
        "kinds = registry.kinds()\n"
        "heavy = {'torch', 'scipy', 'pandas', 'cv2', 'PIL', 'h5py', 'tokenizers', 'transformers'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        "for kind in kinds.values():\n"
        "    import_module(kind.reader.partition(':')[0])\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@every
def test_the_registry_entry_is_complete(row):
    info = registry.kinds()[row.kind]
    settings = registry.check(info.settings, row.settings, row.kind)
    assert info.summary
    assert info.layout(settings) in registry.LAYOUTS
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in info.suffixes)
    assert isinstance(info.inline(settings), bool)
    if info.check is not None:
        info.check(settings, registry.check(info.augment, row.augment, row.kind))


@every
def test_the_readme_says_where_each_setting_comes_from(row):
    folder = Path(import_module(f"equipoise.modalities.{row.kind}").__path__[0])
    text = (folder / "README.md").read_text(encoding="utf-8")
    info = registry.kinds()[row.kind]
    rows = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            rows[cells[0].strip("`")] = cells[-1]
    names = {*info.settings.model_fields, *info.augment.model_fields}
    assert rows.keys() == names
    for name, origin in rows.items():
        assert any(word in origin for word in ("paper", "code", "ours")), f"{name}: {origin}"


@every
def test_a_stored_sample_has_shape_and_type_as_declared(row, readings):
    own, _, found = readings(row)
    for reading in found:
        assert reading.array.shape == own.stored().shape
        assert reading.array.dtype == own.stored().dtype
        assert finite(reading.array)
        assert reading.facts.keys() == set(own.facts)
        assert all(0 <= value <= 1 for value in reading.facts.values())
    assert all(a.array.tobytes() != b.array.tobytes() for a, b in pairwise(found))


@every
def test_a_sample_made_again_has_the_same_bytes(row, readings):
    _, sources, found = readings(row)
    again = reader("m", row.kind, row.settings)
    for source, before in zip(sources, found, strict=True):
        reading = read_sample({"m": again}, {"m": source})["m"]
        assert reading.array.tobytes() == before.array.tobytes()
        assert reading.facts == before.facts


@every
def test_the_store_gives_back_what_was_read(row, readings, tmp_path):
    """Through shard and HDF5, packed or not: prediction reads media, training reads the store."""
    own, _, found = readings(row)
    kept, none = own.stored(), np.zeros(0, np.int64)
    shapes = {"m": (kept.shape, kept.kept)}
    packed = [reading.packed for reading in found if reading.packed]
    assert len(packed) == (SAMPLES if kept.packing else 0)
    shard = Shard(
        np.arange(SAMPLES),
        {} if packed else {"m": np.stack([reading.array for reading in found])},
        *(none, [], "", {}),
        {"m": joined(packed, kept.shape)} if packed else {},
    )
    shards.write(tmp_path / "0.npz", shard)
    names = [f"s{n}" for n in range(SAMPLES)]
    attributes = {"schema_version": SCHEMA_VERSION, "classes": '["a"]', "modalities": '{"m": {}}'}
    plan = Plan(shapes, [0] * SAMPLES, names, names, attributes)
    join(tmp_path / "features.h5", [(tmp_path / "0.npz", SAMPLES)], plan)
    with FeatureStore(tmp_path / "features.h5") as store:
        assert store.shape("m") == kept.shape
        rows = store.rows("m", 0, SAMPLES)
        assert rows.dtype == kept.dtype
        for number, reading in enumerate(found):
            assert np.array_equal(rows[number], reading.array)
            assert np.array_equal(store.row("m", number), reading.array)


@every
@devices
def test_a_batch_becomes_input_on_the_device(row, device, readings):
    own, _, found = readings(row)
    for augment in ({}, row.augment):
        feeding = fed(row, own, found, device, augment)
        given = feeding.input()
        drawn = feeding.draw(Dice((0, 1), "m", SAMPLES, torch.device(device)))
        for numbers in ({}, drawn):
            inputs = feeding.prepare(batch(found).to(device), numbers)
            assert inputs.shape == (SAMPLES, *given.shape)
            assert inputs.device.type == device
            assert given.layout == registry.kinds()[row.kind].layout(own.settings)
            if given.vocabulary:
                assert inputs.dtype == torch.int64
                assert 0 <= int(inputs[:, 0].min()) <= int(inputs[:, 0].max()) < given.vocabulary
            else:
                assert inputs.dtype == torch.float32
                assert torch.isfinite(inputs).all()


@every
def test_inputs_are_normalised_over_the_samples_they_were_measured_on(row, readings):
    own, _, found = readings(row)
    feeding = fed(row, own, found)
    inputs = feeding.prepare(batch(found), {})
    if feeding.channels == "none":
        assert torch.equal(inputs, batch(found).long())
        return
    assert float(inputs.mean()) == pytest.approx(0, abs=0.02)
    assert float(inputs.std(unbiased=False)) == pytest.approx(1, abs=0.02)


@every
def test_augmentation_is_a_function_of_seed_and_epoch(row, readings):
    own, _, found = readings(row)
    feeding, stored = fed(row, own, found, augment=row.augment), batch(found)
    plain = stored.clone()

    def epoch(seed, number):
        drawn = feeding.draw(Dice((seed, number), "m", SAMPLES, torch.device("cpu")))
        assert all(len(values) == SAMPLES for values in drawn.values())
        return feeding.prepare(stored, drawn), drawn

    first, drawn = epoch(0, 1)
    assert torch.equal(first, epoch(0, 1)[0])
    assert not torch.equal(first, epoch(0, 2)[0])
    assert not torch.equal(first, epoch(1, 1)[0])
    assert not torch.equal(first, feeding.prepare(stored, {}))
    part = feeding.prepare(stored[1:3], {name: values[1:3] for name, values in drawn.items()})
    torch.testing.assert_close(part, first[1:3])
    assert torch.equal(stored, plain), "what is stored was changed"


@every
def test_severity_0_changes_nothing_and_1_leaves_nothing(row, readings):
    own, _, found = readings(row)
    feeding = fed(row, own, found)
    inputs = feeding.prepare(batch(found), {})
    kept = inputs.clone()

    def damaged(values, severity):
        return feeding.corrupt(values, severity, torch.Generator().manual_seed(3))

    assert torch.equal(damaged(inputs, 0.0), kept)
    distances = [float((damaged(inputs, s) != kept).sum()) for s in (0.25, 1.0)]
    assert 0 < distances[0] <= distances[1]
    assert torch.equal(damaged(inputs, 0.5), damaged(inputs, 0.5))
    if inputs.dtype == torch.int64:  # how long a text is stays
        inputs = inputs[torch.tensor([0, 0])]
        inputs[1, 0, 1:4] += 1
        one = damaged(inputs, 1.0)
        assert torch.equal(one[0], one[1])
    else:
        torch.testing.assert_close(damaged(inputs, 1.0), damaged(inputs.flip(0), 1.0))
    assert torch.equal(kept, feeding.prepare(batch(found), {})), "the inputs were changed"


@every
def test_settings_survive_json(row):
    info = registry.kinds()[row.kind]
    for kind, values in ((info.settings, row.settings), (info.augment, row.augment)):
        checked = registry.check(kind, values, row.kind)
        written = json.dumps(checked.model_dump(mode="json"))
        assert registry.check(kind, json.loads(written), row.kind) == checked
        with pytest.raises(ValueError, match="unknown key"):
            registry.check(kind, {**values, "no_such_key": 1}, row.kind)


@every
def test_a_sample_is_drawn_for_the_report(row, readings):
    own, _, found = readings(row)
    shown = own.show(found[0].array)
    assert bool(shown.png) != bool(shown.text)
    if shown.png:
        with Image.open(io.BytesIO(shown.png)) as picture:
            assert len(set(np.asarray(picture.convert("RGB")).reshape(-1, 3).sum(1).tolist())) > 1
        assert shown.png == own.show(found[0].array).png
    assert shown != own.show(found[1].array)


@every
def test_what_else_a_sample_depends_on_is_words(row):
    identity = reader("m", row.kind, row.settings).identity()
    assert json.loads(json.dumps(identity)) == identity
    assert all(isinstance(value, str) and value for value in identity.values())


@every
def test_the_audit_tells_samples_apart_and_knows_one_again(row, readings):
    own, sources, found = readings(row)
    pairs = list(zip(found, sources, strict=True))
    traces = [own.trace(reading.array, source) for reading, source in pairs]
    assert own.things.endswith("s")
    assert [trace.empty for trace in traces] == [""] * SAMPLES
    assert len({trace.same for trace in traces} - {""}) == SAMPLES
    again = own.trace(found[0].array.copy(), sources[0])
    assert again.same == traces[0].same
    assert len(set(near.keys([*traces, again]))) == SAMPLES
    if row.kind != "text":  # whose words are those of its source
        silence = own.trace(np.zeros_like(found[0].array), sources[0])
        assert (silence.same, bool(silence.empty)) == ("", True)
