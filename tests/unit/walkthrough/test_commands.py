"""`check` and `draft` as they are typed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.walkthrough import LAB, LAB_FILE, changed

from homing.cli.incidents import InFile
from homing.cli.main import homing
from homing.core.errors import ConfigError, Invalid
from homing.review.incident import Said
from homing.walkthrough.assess import assess
from homing.walkthrough.packs import shipped

GOOD = """\
## Task

The service belonged to the payments team, outside my area. No ticket existed.

## Action

I pulled the delivery log. I traced one loss to a race in the retry worker, and told its owners. I
wrote a fix and a test, and opened a pull request. I watched the drop rate for a week afterwards.

## Result

The drop rate went from 0.3% to zero, none of 199,477 deliveries. It had cost $8,012 a week.
"""


def ask(*words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(homing, ["walkthrough", *words], input=text, catch_exceptions=False)


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    path = tmp_path / "answer.md"
    path.write_text(GOOD)
    return path


def test_check_marks_the_exact_words_without_any_colour(answer: Path) -> None:
    answer.write_text("I told the payments team about it. They fixed it after some days.")
    found = ask("check", str(answer), "--plain")
    assert found.exit_code == 1
    assert "\x1b[" not in found.stdout
    text = " ".join(found.stdout.split())
    assert "\u2039They fixed\u203a[" in text
    assert "contradicted: Carried, not handed over" in text
    assert "do: Tell the part you did yourself" in text
    assert "verdict: lean no" in text
    assert "It says what is in the text, not what an interviewer" in text


def test_check_says_the_same_to_other_programs(answer: Path) -> None:
    found = ask("check", str(answer), "--json", "--level", "senior")
    document = json.loads(found.stdout)
    text = answer.read_text()
    for one in document["findings"]:
        assert set(one) >= {"rule", "state", "span", "why", "fix"}
        for span in one["spans"]:
            assert text[span["start"] : span["end"]] == span["text"]
    assert document["verdict"]["step"] in [row["verdict"] for row in document["rows"]]
    assert sum(row["decides"] for row in document["rows"]) == 1
    assert found.exit_code == (1 if document["faults"] else 0)


def test_an_answer_with_nothing_to_mend_ends_with_nought(answer: Path) -> None:
    found = ask("check", str(answer), "--stage", "task", "--json", text="")
    task = "The service belonged to the payments team, outside my area. No ticket existed for it."
    found = ask("check", "-", "--stage", "task", text=task)
    assert found.exit_code == 0, found.stdout


def test_check_reads_standard_input_and_ignores_comments(answer: Path) -> None:
    found = ask("check", "-", "--json", text=f"# title\n<!-- I wrote 1% -->\n{GOOD}")
    assert json.loads(found.stdout)["words"] == json.loads(
        ask("check", str(answer), "--json").stdout
    )["words"]  # fmt: skip


@pytest.mark.parametrize("words", [("missing.md",), ("missing.md", "--json")])
def test_a_file_that_is_not_there_is_one_sentence(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"missing\.md: expected a file of text"):
        ask("check", *words)


def test_no_words_and_unknown_names_are_one_sentence(tmp_path: Path, answer: Path) -> None:
    (tmp_path / "empty.md").write_text("<!-- nothing -->\n")
    with pytest.raises(ConfigError, match="expected an answer, found no words"):
        ask("check", str(tmp_path / "empty.md"))
    with pytest.raises(Invalid):
        ask("check", str(answer), "--level", "boss")


def test_an_edited_number_is_named_beside_the_records(tmp_path: Path) -> None:
    draft = tmp_path / "story.md"
    made = ask("draft", "--incident", str(LAB_FILE), "--me", "ana", "--output", str(draft))
    assert made.exit_code == 0
    draft.write_text(draft.read_text().replace("from 0.3% to zero", "from 0.5% to zero"))
    found = ask("check", str(draft), "--incident", str(LAB_FILE), "--me", "ana", "--plain")
    assert found.exit_code == 1
    assert "the record says 0.3%, you say 0.5%" in found.stdout


def test_an_exported_draft_agrees_with_its_record_and_knows_when_it_is_stale(
    tmp_path: Path,
) -> None:
    record, draft = tmp_path / "record.json", tmp_path / "story.md"
    InFile(record).save(LAB)
    ask("draft", "--incident", str(record), "--me", "ana", "--output", str(draft))
    options = ("--incident", str(record), "--me", "ana", "--json")
    fresh = json.loads(ask("check", str(draft), *options).stdout)
    assert fresh["states"]["record"] == "met"
    assert not fresh["is_stale"]
    InFile(record).save(changed(Said(text="one more thing")))
    assert json.loads(ask("check", str(draft), *options).stdout)["is_stale"]


def test_a_quiz_that_is_left_says_that_it_does_not_count(tmp_path: Path) -> None:
    found = ask("quiz", "--folder", str(tmp_path), "--plain", text="1\n\n")
    assert found.exit_code == 0
    assert re.search(r"stopped at 2 of \d+; a quiz counts once it is whole", found.stderr)


def test_words_where_a_letter_is_asked_for_are_not_taken_for_another_try(tmp_path: Path) -> None:
    told = "I noticed that 598 webhooks were lost.\n.\nIn a week, of 199,478.\n"
    found = ask("rehearse", "--folder", str(tmp_path), "--plain", text=told)
    assert "that is not handed in: r, and then the words" in found.stdout
    assert "kept; the same command goes on there" in found.stderr


def test_a_draft_shows_claims_gaps_and_the_rows_behind_a_number() -> None:
    found = ask("draft", "--incident", str(LAB_FILE), "--me", "ana", "--evidence", "--plain")
    assert found.exit_code == 0
    assert "598 were lost: 0.3%" in found.stdout
    assert re.search(r"deliveries\.jsonl\.gz:\d+ ", found.stdout)
    assert "$ homing verify deliveries.jsonl.gz after.jsonl.gz" in found.stdout
    assert "gaps: not in the record, so not in the story" in found.stdout
    assert "homing incident adopted WHAT --by TEAM --source WHERE" in found.stdout


def test_a_draft_for_programs_has_each_slot_with_its_place() -> None:
    found = ask("draft", "--incident", str(LAB_FILE), "--me", "ana", "--json")
    document = json.loads(found.stdout)
    slots = [slot for claim in document["claims"] for slot in claim["slots"]]
    assert slots
    assert all(slot["reference"]["command"] and slot["reference"]["path"] for slot in slots)
    assert {gap["state"] for gap in document["gaps"]} == {"unsupported"}


def test_a_name_that_the_record_does_not_have_is_said() -> None:
    found = ask("draft", str(LAB_FILE), "--me", "zoe")
    assert "it names" in found.stderr
    assert "--me ACTOR" in found.stderr


@pytest.mark.parametrize("level", shipped().levels)
def test_the_draft_of_the_lab_is_no_weak_answer(level: str) -> None:
    library = shipped()
    text = json.loads(
        ask("draft", "--incident", str(LAB_FILE), "--me", "ana", "--level", level, "--json").stdout
    )["text"]
    found = assess(text, None, library.levels[level], library.principles["ownership"], LAB)
    bad = {rule for rule, state in found.states.items() if state in ("missing", "contradicted")}
    # the lab has nobody who adopted anything, and no owners to agree with
    assert bad <= {"second_order", "overreach", "generic_reflection", "organisational_cause"}
