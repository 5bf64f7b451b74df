"""What ``equipoise verify`` advises without DVC: the job runs, though later results are there."""

import pytest

from equipoise import layout
from equipoise.verify import mend
from equipoise.verify.records import Record, Records
from equipoise.verify.stores import MISSING

pytestmark = pytest.mark.xdist_group("workflow")

CARD = layout.train("keypad", "joint", "0")["model"]


@pytest.mark.parametrize(
    ("path", "voucher", "job"),
    [
        (CARD.with_name("model.safetensors"), CARD, "train:keypad/joint/seed0"),
        (layout.raw("keypad")["manifest"].with_name("coverage.json"), None, "download:keypad"),
        (layout.audit("keypad")["audit"], None, "audit:keypad"),
    ],
)
def test_a_file_that_only_an_earlier_job_makes_is_made_again(copy, path, voucher, job):
    records = Records([Record(path, sha256="0", voucher=voucher)], {}, {})
    (line,) = mend.lines(mend.Found(records, {path: MISSING}, [], {}))
    command = line.partition("; mend: ")[2].replace("--cores all", "--cores 2")
    copy.run("sh", "-c", command)
    assert job in copy.jobs(), command
    assert copy.nothing_to_do()


def test_a_table_that_nobody_committed_is_made_again(copy):
    table = layout.compare()["table"]
    copy.git("rm", "--quiet", str(table))
    records = Records([Record(table, md5="0")], {}, {})
    (line,) = mend.lines(mend.Found(records, {table: MISSING}, [], {}))
    copy.run("sh", "-c", line.partition("; mend: ")[2].replace("--cores all", "--cores 2"))
    assert copy.nothing_to_do()
    assert (copy.folder / table).exists()
