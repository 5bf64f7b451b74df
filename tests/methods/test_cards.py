"""Every method folder says how sure it is, for which optimiser, and what it assumes."""

import pytest

from equipoise import registry


@pytest.mark.parametrize("name", registry.methods())
def test_it_has_a_card(name):
    info = registry.methods()[name]
    assert info.grade in registry.GRADES
    assert info.optimizer, "say 'not established' where nobody says which"
    assert info.assumes or info.grade == "baseline"
    assert all(text == text.strip() and not text.endswith(".") for text in info.assumes)


def test_what_was_read_as_an_abstract_is_experimental():
    grades = {name: info.grade for name, info in registry.methods().items()}
    assert {grades[name] for name in ("pdmp", "masam", "gmm", "mbsd")} == {"experimental"}
    controls = {name for name, grade in grades.items() if grade == "baseline"}
    assert {"joint", "unimodal", "latesum", "featuremix", "moddrop", "simbamm"} == controls
