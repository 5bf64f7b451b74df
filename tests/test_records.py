"""A value changed in a record is one line that names it, whoever reads it."""

import json
import random
import re

import pytest
import small_run

from equipoise import cli, layout, params, vouch
from equipoise.data import croissant
from equipoise.errors import UserError
from equipoise.evaluation import comparison, crate
from equipoise.evaluation.collect import read_model
from equipoise.gap import artefacts
from equipoise.models.card import read_card

DATA, SEED = small_run.DATA, small_run.SEED
JOINT, WARM = ["--method", "joint", *SEED], ["--method", "joint-concat-warm", *SEED]
VERIFY, COMPARE, SHOW = ["verify"], ["compare"], ["show"]
#: Verbs that write nothing that another one of this module compares.
READING = ("verify", "compare", "show", "card", "audit")


def record(path):
    return vouch.read(path, "make it again")


def card(path):
    return read_card(path.parent)


def fit(path):
    """As a method that continues from the warm-up reads it."""
    settings = params.load(layout.PARAMS).gap
    return artefacts.read_gap(layout.gap("mine", "0"), [f"s{n}" for n in range(24)], settings)


def problems(path):
    if lines := list(croissant.problems(path)):
        raise UserError(lines[0])


#: Record, what reads it, and the commands that do.
RECORDS = [
    (
        layout.features("mine")["record"],
        record,
        [["audit", *DATA], ["card", "mine"], COMPARE, VERIFY, ["verify", "mine"]],
    ),
    (
        layout.split("mine")["record"],
        record,
        [
            *(["audit", *DATA], ["warmup", *DATA, *SEED], ["gap", *DATA, *SEED]),
            *(["train", *DATA, *JOINT], ["evaluate", *DATA, *JOINT], COMPARE, VERIFY),
        ],
    ),
    (layout.audit("mine")["audit"], record, [COMPARE, VERIFY]),
    (layout.embed("mine")["record"], record, [VERIFY]),
    (
        layout.warmup("mine", "0")["model"],
        card,
        [["gap", *DATA, *SEED], ["train", *DATA, *WARM], COMPARE, VERIFY],
    ),
    (layout.gap("mine", "0")["fit"], fit, [COMPARE, VERIFY]),
    (
        layout.search("mine", "joint")["chosen"],
        record,
        [["train", *DATA, *JOINT], COMPARE, VERIFY],
    ),
    (
        layout.train("mine", "joint", "0")["model"],
        card,
        [
            *(["evaluate", *DATA, *JOINT], COMPARE, VERIFY),
            ["predict", "--model", "models/train/mine/joint/seed0", "own", "--output", "a.csv"],
        ],
    ),
    (layout.evaluate("mine", "joint", "0")["metrics"], record, [COMPARE, VERIFY]),
    (layout.compare()["metrics"], comparison.read_numbers, [SHOW, VERIFY]),
    (layout.compare()["crate"], crate.expect_itself, [VERIFY]),
    (layout.card("mine"), problems, [["verify", "mine"]]),
]
IDS = [path.name for path, _, _ in RECORDS]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    small_run.make(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", "")
        for command in small_run.WRITING:
            if command[0] not in ("predict", "params"):
                assert cli.main(command) == 0, command
        yield folder


def said(command, capsys):
    """What a command says of a record that is not right: one line."""
    capsys.readouterr()
    status = cli.main(command)
    found = capsys.readouterr()
    assert "Traceback" not in found.err
    if command[0] == "verify" and status == 1:
        *lines, end = found.out.splitlines()
        assert end.startswith("1 problem(s)"), found.out + found.err
    else:
        lines = [line for line in found.err.splitlines() if line[2:3] != ":"]
        assert status == 2, command
    (line,) = lines
    return line


def differs(new, text):
    try:
        return json.loads(new) != json.loads(text)
    except ValueError:
        return True  # 012 is no number


@pytest.mark.parametrize(("path", "read", "commands"), RECORDS, ids=IDS)
def test_a_changed_digit_is_seen_by_whoever_reads_it(project, capsys, path, read, commands):
    assert cli.main(["verify", "mine"]) == 0
    text = path.read_text()
    read(path)
    places = [match.start() for match in re.finditer(r"\d", text)]
    changes = (f"{text[:at]}{(int(text[at]) + 3) % 10}{text[at + 1 :]}" for at in places)
    try:
        # Digits behind the last that a float holds change nothing.
        changes = [new for new in changes if differs(new, text)]
        for new in changes[:: max(1, len(changes) // 40)]:
            path.write_text(new)
            with pytest.raises(UserError, match=rf"^[^\n]*{path}[^\n]*$"):
                read(path)
        path.write_text(changes[len(changes) // 2])
        for command in commands:
            assert str(path) in said(command, capsys), command
    finally:
        path.write_text(text)


@pytest.mark.parametrize(("path", "read", "commands"), RECORDS, ids=IDS)
def test_a_key_that_is_missing_or_of_another_type_is_one_line(
    project, capsys, path, read, commands
):
    text = path.read_text()
    whole = json.loads(text)
    try:
        for key in whole:
            others = {name: value for name, value in whole.items() if name != key}
            for new in (others, others | {key: None}, others | {key: ["x"]}, others | {key: 3}):
                if new == whole or (key == vouch.OWN and new == others and read is card):
                    continue  # an older card, see below
                path.write_text(json.dumps(new))
                with pytest.raises(UserError, match=rf"^[^\n]*{path}[^\n]*$"):
                    read(path)
        for command in commands:
            assert str(path) in said(command, capsys), command
    finally:
        path.write_text(text)


def nodes(value, way=()):
    """Every place in a record, the way to it."""
    if way:
        yield way
    pairs = enumerate(value[:1]) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, dict) else pairs:
        yield from nodes(inner, (*way, key))


def resealed(whole, way, new):
    """The record with another value, and a digest that is right."""
    whole = json.loads(json.dumps(whole))
    said = whole.pop(comparison.VOUCHED, None)
    whole |= said[0] if said else {}
    table = whole
    for key in way[:-1]:
        table = table[key]
    table[way[-1]] = new
    whole = vouch.sealed(whole)
    if said:
        whole[comparison.VOUCHED] = [{key: whole.pop(key) for key in said[0]}]
    return json.dumps(whole)


SEALED = [row for row in RECORDS if row[0] not in (layout.compare()["crate"], layout.card("mine"))]


@pytest.mark.parametrize(("path", "read", "commands"), SEALED, ids=[row[0].name for row in SEALED])
def test_wrong_types_under_a_right_digest_are_one_line(project, capsys, path, read, commands):
    """What nobody reads may be anything: a command goes on, and ends in no traceback."""
    text = path.read_text()
    whole = json.loads(text)
    read = read_model if read is card else read  # read by many, not for its weights
    ours = (vouch.KEY, vouch.OWN, comparison.VOUCHED)
    refused, free = [], []
    try:
        for way in (way for way in nodes(whole) if way[0] not in ours):
            for new in (["x"], "x", {"x": 1}):
                path.write_text(resealed(whole, way, new))
                try:
                    read(path)
                except UserError as error:
                    assert str(path) in str(error) and "\n" not in str(error)
                    refused.append((way, new))
                else:
                    free.append((way, new))
        assert len(refused) > len(whole)
        for way, new in random.Random(0).sample(free, min(3, len(free))):
            path.write_text(resealed(whole, way, new))
            for command in (one for one in commands if one[0] in READING):
                assert cli.main(command) in (0, 1, 2), (way, new)
        for number, command in enumerate(commands):
            way, new = refused[number * len(refused) // len(commands)]
            path.write_text(resealed(whole, way, new))
            assert str(path) in said(command, capsys), (way, new, command)
    finally:
        path.write_text(text)
        assert cli.main(COMPARE) == 0


def test_wrong_types_in_the_samples_that_are_shown(project, capsys):
    """Their record vouches for the file, which has no digest of its own."""
    path, record = layout.features("mine")["samples"], layout.features("mine")["record"]
    texts = {one: one.read_text() for one in (path, record)}
    try:
        for new in (["x"], [{"label": ["x"]}], [{"modalities": {"picture": {"png": 3}}}]):
            path.write_text(json.dumps(new))
            told = json.loads(texts[record])
            told[vouch.KEY] |= vouch.of(path)
            record.write_text(json.dumps(vouch.sealed(told)))
            assert str(path) in said(COMPARE, capsys)
    finally:
        for one, text in texts.items():
            one.write_text(text)


def test_a_card_without_a_digest_is_read_and_named(project, capsys, caplog):
    """Training may have taken days."""
    path = layout.train("mine", "joint", "0")["model"]
    text = path.read_text()
    try:
        path.write_text(json.dumps({**json.loads(text), vouch.OWN: ""}))
        with pytest.raises(UserError, match="changed since it was written"):
            read_card(path.parent)
        told = json.loads(text)
        del told[vouch.OWN]
        path.write_text(json.dumps(told))
        assert cli.main(VERIFY) == 0
        assert f"{path}: carries no digest of itself" in capsys.readouterr().err
    finally:
        path.write_text(text)


@pytest.mark.parametrize("name", ["table", "curves"])
def test_a_changed_comparison_is_not_shown(project, capsys, name):
    path = layout.compare()[name]
    text = path.read_text()
    at = next(match.start() for match in re.finditer(r"\d", text[len(text) // 2 :]))
    at += len(text) // 2
    try:
        path.write_text(f"{text[:at]}{(int(text[at]) + 3) % 10}{text[at + 1 :]}")
        assert str(path) in said(VERIFY, capsys)
        if name == "table":
            assert f"{path}: not the file that results/comparison.json" in said(SHOW, capsys)
    finally:
        path.write_text(text)
