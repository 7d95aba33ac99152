"""The scores of the walkthrough's rules: loading, splitting, figures, baselines."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench import walkthrough_scores as scoring
from homing.walkthrough.assess import State

TUNING = scoring.SET.parent / "tuning"
MET, MISSING, WEAK = State.MET, State.MISSING, State.WEAK


def answer(**given: object) -> scoring.Answer:
    usual = {
        "id": "a", "author": "x", "wrote": "a person", "style": "typed", "level": "sde2",
        "lens": "ownership", "text": "I wrote it.", "labels": {}, "verdict": "no", "incident": "i",
    }  # fmt: skip
    return msgspec.convert({**usual, **given}, scoring.Answer)


def test_what_the_rules_were_tuned_on_still_gets_its_labels() -> None:
    found = scoring.report(scoring.load(TUNING))
    assert found["answers"] >= 15
    for row in found["rules"]:
        assert row["tool"].exact.value is not None
        assert row["tool"].exact.value > 0.9, (row["rule"], row["misses"])
    assert found["verdicts"]["adjacent"].value == 1.0


def test_the_parts_of_the_labelled_set_share_no_incident_and_no_author() -> None:
    parts = [scoring.load(scoring.SET / name).answers for name in scoring.PARTS]
    assert scoring.leaks(*parts) == []
    one = answer(incident="same", author="x")
    assert scoring.leaks([one], [answer(incident="same", author="y")]) == ["same"]
    assert scoring.leaks([one], [answer(incident="other", author="x")]) == ["x"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('agency = "met"', 'agency = "perfect"', "perfect"),
        ('agency = "met"', 'charm = "met"', "charm"),
        ('verdict = "strong yes"', 'verdict = "hired"', "hired"),
        ('style = "typed"', 'style = "sung"', "sung"),
        ('author = "tuner"', 'writer = "tuner"', "writer"),
    ],
)
def test_a_file_that_is_not_as_described_is_named(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = (TUNING / "several.toml").read_text()
    (tmp_path / "bad.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=rf"bad\.toml.*{says}"):
        scoring.load(tmp_path)


def test_scores_count_what_is_met_and_what_is_exact() -> None:
    found = scoring.scores([MET, MET, MISSING, State.NOT_CHECKABLE], [MET, WEAK, MISSING, MET])
    assert (found.exact.hits, found.exact.of) == (2, 4)
    assert (found.precision.hits, found.precision.of) == (1, 2)
    assert (found.recall.hits, found.recall.of) == (1, 2)
    assert found.abstained.hits == 1
    assert found.f1 == pytest.approx(0.5)


def test_an_interval_is_wilsons() -> None:
    assert scoring.Interval(45, 50).text() == "0.90 (0.79 to 0.96)"
    assert scoring.Interval(0, 0).text() == "-"


def test_agreement_is_cohens_and_weighted_over_the_steps() -> None:
    assert scoring.kappa(["a", "a", "b", "b"], ["a", "b", "b", "b"]) == pytest.approx(0.5)
    assert scoring.kappa(["a"], ["a"]) is None
    same = ["no", "yes", "lean no"]
    assert scoring.weighted_kappa(same, same) == pytest.approx(1.0)
    near = scoring.weighted_kappa(["no", "yes"], ["lean no", "yes"])
    far = scoring.weighted_kappa(["strong yes", "yes"], ["lean no", "yes"])
    assert near is not None
    assert far is not None
    assert near > far


def test_baselines_learn_from_the_other_incidents_only() -> None:
    others = [
        answer(id="1", text="we met the team", labels={"agency": MISSING}),
        answer(id="2", text="i wrote code and i tested code today", labels={"agency": MET}),
        answer(id="3", text="i wrote code for it and i tested it", labels={"agency": MET}),
    ]
    one = answer(id="4", text="i wrote code and tested it for some days")
    assert scoring.majority(others, one, "agency") is MET
    assert scoring.word_count(others, one, "agency") is MET
    assert scoring.bag_of_words(others, one, "agency") is MET
    assert scoring.bag_of_words(others, answer(text="we met them"), "agency") is MISSING
    for judge in scoring.BASELINES.values():
        assert judge([], one, "agency") is MISSING


def test_a_bag_of_words_is_not_won_by_the_label_that_was_given_once() -> None:
    texts = [
        "i read logs until noon",
        "she asked so i wrote queries",
        "tests came next",
        "i patched two machines",
        "queues grew all night",
        "i moved one lock",
        "alerts were quiet then",
        "owners agreed on it",
    ]
    others = [answer(id=text, text=text, labels={"agency": MET}) for text in texts]
    others.append(answer(id="odd", text="keywords only", labels={"agency": State.NOT_CHECKABLE}))
    one = answer(text="then i wrote something for it")
    assert scoring.bag_of_words(others, one, "agency") is MET


def test_the_page_says_who_wrote_and_labelled_and_marks_few_labels(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{scoring.BEGIN}\nold\n{scoring.END}\nafter\n")
    assert scoring.main(["--folder", str(TUNING), "--markdown", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "Labelled by: the author of the rules, while tuning them." in text
    assert "| `agency` | " in text
    assert "| `order`* | " in text


def test_a_look_at_the_held_out_part_needs_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert scoring.main(["--part", "held-out"]) == 2
    assert "expected --reason" in capsys.readouterr().err
