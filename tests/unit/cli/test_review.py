"""From a log to the review: commands add what they find, and the page says what they found."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.once import made_once

from homing.cli.impact_assumptions import EXAMPLE
from homing.cli.main import homing
from homing.cli.moments import moment
from homing.cli.output import time_text
from homing.cli.review import command_again
from homing.core.errors import ConfigError, HomingError
from homing.lab.explorable import FixedWorker
from homing.lab.founding import have_week
from homing.lab.service.worker import RetryWorker
from homing.review.check import check

pytest.importorskip("ibis", reason="needs the extra `forensics`")

pytestmark = [
    # of the libraries below the analysis, about each other
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.slow,
]

Ask = Callable[..., Result]
OPEN = ("incident", "open", "webhooks are missing", "--file", "record.json", "--by", "ana")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small founding week, with the fault and with its fix."""
    return made_once(tmp_path_factory, "review-logs", _logs_in)


def _logs_in(folder: Path) -> None:
    payments = folder / "payments.jsonl.gz"
    have_week(RetryWorker, log=folder / "before.jsonl.gz", payments=payments, size=5_000)
    have_week(FixedWorker, log=folder / "after.jsonl.gz", size=5_000)
    (folder / "impact.toml").write_text(EXAMPLE)
    service = resources.files("homing.lab.service")
    for name in ("worker.py", "fix.patch"):
        (folder / name).write_text(service.joinpath(name).read_text())


def asking(patch: pytest.MonkeyPatch, folder: Path) -> Ask:
    """Commands as they are typed in a folder."""
    patch.chdir(folder)
    patch.delenv("HOMING_INCIDENT", raising=False)

    def run(*words: str, code: int = 0) -> Result:
        patch.setattr(sys, "argv", ["homing", *words])
        result = CliRunner().invoke(homing, words)
        if isinstance(result.exception, HomingError):
            assert code == 2, result.exception
        else:
            assert result.exit_code == code, (words, result.output, result.exception)
        return result

    return run


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    return asking(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def recorded(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That folder, with an incident that was investigated, verified and priced."""

    def record_in(folder: Path) -> None:
        shutil.copytree(logs, folder, dirs_exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            _record(asking(patch, folder))

    return made_once(tmp_path_factory, "review-recorded", record_in)


def _record(run: Ask) -> None:
    run(*OPEN)
    run("investigate", "before.jsonl.gz", "--save", "incident.json", code=1)
    reproduce = ("reproduce", "incident.json", "--times", "3", "--worker")
    run(*reproduce, "worker.py:RetryWorker", code=1)
    shutil.copy("worker.py", "fixed.py")  # a module is read once in a process
    subprocess.run(["patch", "-s", "fixed.py", "fix.patch"], check=True, timeout=120)
    run(*reproduce, "fixed.py:RetryWorker")
    pair = ("before.jsonl.gz", "after.jsonl.gz")
    run("verify", *pair, "--incident", "incident.json")
    price = ("--payloads", "payments.jsonl.gz", "--assumptions", "impact.toml")
    run("impact", "before.jsonl.gz", *price, "--ids", "affected.tsv", "--svg", "impact.svg")


@pytest.fixture
def told(recorded: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    return tmp_path


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "record.json").read_text())
    return found


def sourced(markdown: str, source: str, path: str) -> str:
    """What a review says at a place of a source."""
    found = re.search(rf'\[([^\]]*)\]\(#source-{source} "{re.escape(path)}"\)', markdown)
    assert found, (source, path)
    return found[1]


def test_the_list_of_the_affected_is_named_and_no_plot_is_called_so(told: Path, ask: Ask) -> None:
    ask("review", "record.json", "--markdown", "review.md")
    text = (told / "review.md").read_text()
    assert "The affected ids are in `affected.tsv`." in text
    assert "impact.svg`." not in text


def test_commands_add_what_they_find_with_hashes_and_the_line_that_finds_it_again(
    told: Path,
) -> None:
    one = record(told)
    steps = ["investigate", "reproduce", "reproduce_fix", "verify", "impact"]
    assert list(one["results"]) == steps
    found = one["results"]["investigate"]
    assert found["command"] == "homing investigate before.jsonl.gz --save incident.json"
    assert [len(file["sha256"]) for file in found["inputs"]] == [64]
    assert [file["name"] for file in found["files"]] == ["incident.json"]
    steps = [entry["step"] for entry in one["timeline"]]
    assert steps == [None, "investigate", "reproduce", "reproduce", "verify", "impact"]
    assert [cause["status"] for cause in one["causes"]] == ["suspected", "reproduced"]
    assert one["token"].startswith("w1.")
    assert one["version"] == 6
    workers = [one["results"][name]["inputs"][1] for name in ("reproduce", "reproduce_fix")]
    assert workers[0]["sha256"] != workers[1]["sha256"]
    assert "put_if(key, done" not in one["kept"][workers[0]["sha256"]]


def test_the_page_passes_its_own_check_and_one_typed_number_does_not(ask: Ask, told: Path) -> None:
    ask("review", "--markdown", "review.md", "--html", "review.html")
    for name in ("review.md", "review.html"):
        text = (told / name).read_text()
        assert check(text) == []
        ask("review", "record.json", "--check", name)
        typed = text.replace("silently dropped", "silently dropped at least 7 and")
        (told / name).write_text(typed)
        assert "'7' has no source" in ask("review", "--check", name, code=1).output
        changed = re.sub(r"(?<=silently dropped [\[<])[^\]]", "9", text)
        changed = text.replace("0.3", "0.4") if changed == text else changed
        (told / name).write_text(changed)
        assert ask("review", "record.json", "--check", name, code=1).output
    page = (told / "review.html").read_text()
    assert page.count("<svg") >= 2
    assert "<script" not in page


def test_a_check_finds_the_record_beside_the_page_and_a_value_that_was_typed_over(
    ask: Ask, told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask("review", "record.json", "--markdown", "review.md", "--html", "review.html")
    dropped = sourced((told / "review.md").read_text(), "investigate", "dropped")
    monkeypatch.chdir(told.parent)  # the record is looked for beside the page
    for name, written, typed in (
        ("review.md", f"[{dropped}](", "[999]("),
        ("review.html", f">{dropped}<", ">999<"),
    ):
        page = told / name
        whole = ask("review", "--check", str(page)).output
        assert "every number has a source, and says what record.json says" in whole
        text = page.read_text()
        assert written in text
        page.write_text(text.replace(written, typed))
        assert f"'999': dropped of investigate gives {dropped}" in (
            ask("review", "--check", str(page), code=1).output
        )


def test_a_check_without_the_record_says_that_it_compared_no_value(ask: Ask, told: Path) -> None:
    ask("review", "record.json", "--markdown", "review.md")
    (told / "record.json").rename(told / "elsewhere.json")
    said = " ".join(ask("review", "--check", "review.md").output.split())
    assert "every number names a source, and every zero has its N" in said
    assert "the values themselves were not compared" in said
    assert "homing review record.json --check review.md" in said
    assert "has a source" not in said


def test_the_first_paragraph_names_the_cause_and_how_sure_it_is(ask: Ask, told: Path) -> None:
    ask("review", "--markdown", "review.md")
    text = (told / "review.md").read_text()
    lead = next(one for one in text.split("\n\n") if "silently dropped" in one)
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", lead).replace("*", "")
    assert (
        "The cause, which was reproduced, is D6, lost update by a stale worker: a worker that no "
        "longer holds the delivery writes its late result over what another has written since. "
    ) in plain
    one = record(told)
    one["causes"] = one["causes"][:1]
    (told / "record.json").write_text(json.dumps(one))
    assert "The cause that the log points at is" in ask("review").output


def test_another_log_gives_other_numbers_and_only_there(ask: Ask, told: Path) -> None:
    ask("review", "--markdown", "one.md")
    before = (told / "one.md").read_text()
    packed = (told / "before.jsonl.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines(keepends=True)
    ends = [line for line in lines if '"event":"succeeded"' in line]
    gone = {json.loads(line)["delivery_id"] for line in ends[3_000:3_020]}
    kept = [
        line
        for line in lines
        if not ('"event":"succeeded"' in line and json.loads(line)["delivery_id"] in gone)
    ]
    with gzip.open(told / "before.jsonl.gz", "wt") as file:
        file.writelines(kept)
    ask("investigate", "before.jsonl.gz", "--save", "incident.json", code=1)
    ask("review", "--markdown", "two.md")
    after = (told / "two.md").read_text()
    was, now = (int(sourced(text, "investigate", "dropped")) for text in (before, after))
    assert now == was + len(gone)
    rates = [sourced(text, "investigate", "rate.value") for text in (before, after)]
    assert rates[0] != rates[1]
    assert sourced(before, "impact", "by_currency.USD.p50") == sourced(
        after, "impact", "by_currency.USD.p50"
    )
    assert ask("review", "record.json", "--check", "one.md", code=1).output.count("gives")


def test_when_alerts_would_have_fired_is_what_the_log_says_and_else_a_model_without_a_date(
    ask: Ask, told: Path
) -> None:
    def section() -> str:
        return ask("review").output.partition("## Why alerts")[2].partition("\n## ")[0]

    modelled = section()
    assert "Modelled, for a drop as steady as that" in modelled
    assert not re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d", modelled)
    said = json.loads(ask("slo", "fired", "before.jsonl.gz", "--target", "99.9", "--json").stdout)
    ask("slo", "fired", "before.jsonl.gz", "--target", "99.9")
    seen = section()
    assert "Modelled" not in seen
    assert "slo explain" not in seen
    for i, one in enumerate(said["alerts"]):
        if one["firedAt"] is None:
            continue
        at = time_text(moment(one["firedAt"]))[:16].replace("T", " ")
        assert sourced(seen, "fired", f"alerts.{i}.firedAt") == f"{at} UTC"
    assert "HomingDeliveriesUnaccounted" in seen
    ask("review", "--recompute")


def test_the_price_says_of_which_week_it_is_and_what_a_week_that_is_all_faulty_costs(
    ask: Ask, told: Path
) -> None:
    since = "2026-11-10T10:23:00Z"
    one = record(told)  # so small a week does not show by itself when it began
    began = {"is_change": True, "at": since, "low": since, "high": since}
    one["results"]["investigate"]["values"]["since"] |= began
    (told / "record.json").write_text(json.dumps(one))
    before = ask("review").output
    assert "homing impact --since" in before
    price = ("--payloads", "payments.jsonl.gz", "--assumptions", "impact.toml")
    ask("impact", "before.jsonl.gz", *price, "--since", since)
    ask("incident", "deployed", "--by", "bo", "--at", "2026-11-17T14:30Z")
    text = ask("review").output
    middle = "by_currency.USD.p50"
    assert sourced(text, "impact", middle) == sourced(before, "impact", middle)
    results = {name: one["values"] for name, one in record(told)["results"].items()}
    logged, faulty = (
        results[name]["by_currency"]["USD"] for name in ("impact", "impact_whole_week")
    )
    assert faulty["deliveries_per_week"] == pytest.approx(logged["deliveries_per_week"])
    assert faulty["dropped"] == logged["dropped"]
    assert faulty["rate"]["value"] > logged["rate"]["value"]
    ratio = faulty["rate"]["value"] / logged["rate"]["value"]
    assert faulty["at_risk"] / logged["at_risk"] == pytest.approx(ratio)
    assert sourced(text, "impact_whole_week", middle) == f"{faulty['p50']:,.0f}"
    lasted_s = (moment("2026-11-17T14:30Z") - moment(since)) / 1_000_000
    whole = f"{faulty['p50'] * lasted_s / 604_800:,.0f}"
    assert f"the incident as a whole cost about [{whole}]" in text


def test_every_number_is_found_again_by_its_command(ask: Ask, told: Path) -> None:
    (told / "worker.py").write_text("somebody has written something else here")
    same = json.loads(ask("review", "record.json", "--recompute", "--json").output)
    assert same["is_same"]
    values = {one["source"]: one["values"] for one in same["sources"]}
    assert list(values) == ["investigate", "reproduce", "reproduce_fix", "verify", "impact"]
    assert min(values.values()) >= 2
    forged = record(told)
    forged["results"] = {"impact": forged["results"]["impact"]}
    forged["results"]["impact"]["values"]["by_currency"]["USD"]["p50"] *= 2
    (told / "forged.json").write_text(json.dumps(forged))
    other = ask("review", "forged.json", "--recompute", "--json", code=1)
    wrong = {one["source"]: one["different"] for one in json.loads(other.output)["sources"]}
    assert [path for path, _, _ in wrong["impact"]] == ["by_currency.USD.p50"]
    (told / "before.jsonl.gz").write_bytes(b"")
    result = ask("review", "forged.json", "--recompute", code=2)
    assert "another file than it was" in str(result.exception)


def test_a_command_of_the_review_that_is_run_by_hand_and_finds_the_same_adds_nothing(
    ask: Ask, told: Path
) -> None:
    before = (told / "record.json").read_bytes()
    price = ("--payloads", "payments.jsonl.gz", "--assumptions", "impact.toml")
    again = ask("impact", "before.jsonl.gz", *price, "--ids", "affected.tsv", "--svg", "impact.svg")
    assert "the incident record.json has that already" in again.stderr
    ask("reproduce", "incident.json", "--times", "3", "--worker", "worker.py:RetryWorker", code=1)
    assert (told / "record.json").read_bytes() == before
    (told / "impact.toml").write_text(EXAMPLE + "# another file\n")
    ask("impact", "before.jsonl.gz", *price, "--ids", "affected.tsv", "--svg", "impact.svg")
    assert (told / "record.json").read_bytes() != before


def test_what_a_model_worker_loses_is_no_reproduction_in_the_service(
    ask: Ask, told: Path, tmp_path: Path
) -> None:
    (told / "record.json").unlink()
    (told / ".homing-incident").unlink()
    ask(*OPEN)
    ask("investigate", "before.jsonl.gz", "--save", "incident.json", code=1)
    shown = ask("reproduce", "incident.json", "--times", "3", code=1)
    assert "the service's own worker was not tried" in shown.stderr
    one = record(told)
    assert [cause["status"] for cause in one["causes"]] == ["suspected"]
    assert list(one["results"]) == ["investigate", "reproduce_model"]
    assert one["token"] is None, "no fix of the service is held to a model's schedule"
    text = " ".join(ask("review", "record.json").output.split())
    assert "a model worker with this fault (`homing.lab.explorable:RetryWorker`) lost" in text
    assert "; the service's own worker was not tried. " in text
    assert "the service's own worker was not held to the schedule, only a model" in text
    worker = ("--worker", "worker.py:RetryWorker")
    ask("reproduce", "incident.json", "--times", "3", *worker, code=1)
    ask("reproduce", "incident.json", "--times", "3", code=1)
    one = record(told)
    assert [cause["status"] for cause in one["causes"]] == ["suspected", "reproduced"]
    text = " ".join(ask("review", "record.json").output.split())
    assert "the worker (`worker.py:RetryWorker`) lost a delivery in" in text
    assert "not tried. " not in text
    assert "only a model" not in text


def test_a_result_that_is_none_is_told_in_a_sentence(ask: Ask, told: Path) -> None:
    broken = record(told)
    broken["results"]["investigate"]["values"]["windows"] = [{"start": "<script>"}]
    (told / "broken.json").write_text(json.dumps(broken))
    assert "not as `homing` writes it" in str(ask("review", "broken.json", code=2).exception)


def test_a_sentence_of_a_command_that_says_a_bare_zero_is_left_out(ask: Ask, told: Path) -> None:
    one = record(told)
    lines = one["results"]["investigate"]["values"]["hypothesis"]["evidence"]
    lines[:2] = ["half of them have it (q = 0)", "11 of 11 have it"]
    (told / "record.json").write_text(json.dumps(one))
    text = ask("review").output
    assert "half of them" not in text
    assert sourced(text, "investigate", "hypothesis.evidence.1") == "11"


def test_a_fresh_incident_says_that_nothing_is_known(ask: Ask, tmp_path: Path) -> None:
    ask(*OPEN)
    text = ask("review").output
    assert "Nothing has been measured yet." in text
    unknown = text.partition("## What the data cannot show")[2]
    for missing in ("no log was investigated", "not compared", "not priced", "not reproduced"):
        assert missing in unknown
    assert check(text) == []


def test_the_head_says_what_was_proven_and_the_beginning_who_noticed_and_how(
    ask: Ask, told: Path
) -> None:
    one = record(told)
    one["detection"] = {"at_us": 1_794_819_900_000_000, "by": "checkout", "how": "a shop asked."}
    one["results"]["investigate"]["values"]["since"] |= {
        "is_change": True,
        **dict.fromkeys(("at", "low", "high"), "2026-11-10T10:23:00Z"),
    }
    (told / "record.json").write_text(json.dumps(one))
    text = ask("review").output
    assert (
        '| Status | [open](#source-record "status"); before and after the fix were compared: '
        f"[{sourced(text, 'verify', 'verdict')}]"
    ) in text
    assert 'checkout](#source-record "detection.by"): a shop asked; no alert had fired. ' in text
    ask("review", "--html", "review.html")
    page = (told / "review.html").read_text()
    assert "shaded its interval, which is too narrow to be seen well at this scale" in page
    styles = page.partition("</style>")[0]
    for name in set(re.findall(r'<line class="(\w+)', page)):
        assert f"svg .{name} {{" in styles, f"a line {name} would not be drawn"


def test_people_add_what_only_they_know(ask: Ask, tmp_path: Path) -> None:
    ask(*OPEN, "--noticed-at", "2026-11-16T09:05Z", "--how", "a shop asked", "--alert", "none-7")
    (tmp_path / "worker.py").write_text("lease = 10\n")
    (tmp_path / "fix.patch").write_text("--- a\n+++ b\n")
    ask("incident", "note", "the lease is 10 s", "--source", "worker.py", "--about", "factor")
    ask("incident", "link", "worker.py", "--text", "the worker")
    ask("incident", "fixed", "--by", "bo", "--diff", "fix.patch", "--text", "a smaller turn")
    ask("incident", "deployed", "--by", "team 7", "--commit", "1.8.2", "--at", "2026-11-17T09:00Z")
    ask("incident", "adopted", "the alert", "--by", "platform 2")
    ask("incident", "action", "alert on 1 drop", "--owner", "bo", "--due", "2026-12-01")
    ask("incident", "done", "a1")
    text = ask("review").output
    assert check(text) == []
    assert sourced(text, "record", "statements.0.text") == "10"
    assert sourced(text, "record", "deployments.0.commit") == "1.8.2"
    assert sourced(text, "record", "deployments.0.at_us") == "2026-11-17 09:00 UTC"
    ask("incident", "close", "told to both teams")
    assert not (tmp_path / ".homing-incident").exists()
    assert "is closed" in str(
        ask("incident", "note", "more", "--file", "record.json", code=2).exception
    )


def test_what_is_written_may_have_another_day_and_one_that_is_yet_to_come_is_said_once(
    ask: Ask, tmp_path: Path
) -> None:
    ask(*OPEN, "--at", "2026-11-16T09:10Z")
    ask("incident", "link", "https://git.example/7", "--at", "2026-11-16T10:00Z")
    ask(
        "incident", "action", "alert", "--owner", "ana", "--due", "2026-12-01",
        "--at", "2026-11-16T11:00Z",
    )  # fmt: skip
    ask("incident", "done", "a1", "--at", "2026-11-16T12:00Z")
    told = ask(
        "incident", "deployed", "--by", "ana", "--commit", "1.8.2", "--at", "2131-05-06T10:00Z"
    ).output
    assert told.rstrip().endswith("ana: deployed the fix (1.8.2)")
    assert "--at 2131-05-06T10:00:00Z is yet to come; kept as it is" in told
    told = ask("incident", "close", "told", "--at", "2131-05-07T10:00Z").output
    assert "yet to come" not in told, "the record is ahead of the clock already"
    times = [time_text(one["at_us"])[:16] for one in record(tmp_path)["timeline"]]
    assert times == [
        "2026-11-16T09:10", "2026-11-16T10:00", "2026-11-16T11:00", "2026-11-16T12:00",
        "2131-05-06T10:00", "2131-05-07T10:00",
    ]  # fmt: skip
    assert record(tmp_path)["actions"][0]["done_at_us"] == record(tmp_path)["timeline"][3]["at_us"]
    written = {one["written_at_us"] // 1_000_000 for one in record(tmp_path)["timeline"][1:]}
    assert max(written) - min(written) < 600, "when it was really written down is kept as well"


def test_the_story_of_the_lab_has_days_of_its_own(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text("{}")
    told = ask(*OPEN, "--at", "2131-05-06T10:00Z").output
    assert "yet to come" not in told


def test_a_command_that_finds_something_adds_it_as_if_at_another_time(
    ask: Ask, tmp_path: Path
) -> None:
    ask(*OPEN)
    ask("verify", "--before", "3/1000", "--after", "0/2000", "--at", "2026-11-30T09:00Z", code=1)
    assert time_text(record(tmp_path)["results"]["verify"]["at_us"]) == "2026-11-30T09:00:00Z"
    assert ask(*OPEN[:3], "--at", "2026-11-30T09:00Z", code=2).output.count("--file") == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("incident", "show"), "expected an incident: --file FILE"),
        (("incident", "show", "nothing.json"), "there is no such file"),
        (("review", "other.json"), "expected an incident as `homing incident` writes it"),
        (("review", "--check", "nothing.md"), "cannot be read"),
        (("incident", "link", "nowhere"), "expected a file that is there, or an address"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    ask: Ask, tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    (tmp_path / "other.json").write_text("{}")
    result = ask(*words, code=2)
    assert complaint in str(result.exception) + result.output


def test_a_number_in_a_note_needs_where_it_is_written(ask: Ask) -> None:
    ask(*OPEN)
    assert "a number without a source" in ask("incident", "note", "ten of 30", code=2).output
    assert "without its N" in ask("incident", "note", "zero drops since", code=2).output
    assert "what made it likely" in ask("incident", "note", "it was bo's fault", code=2).output


def test_that_an_incident_is_away_does_not_undo_what_a_command_found(
    ask: Ask, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMING_INCIDENT", "gone.json")
    result = ask("investigate", str(logs / "after.jsonl.gz"))
    assert "not added to the incident gone.json" in result.output
    monkeypatch.setenv("HOMING_INCIDENT", "")
    assert "incident gone" not in ask("investigate", str(logs / "after.jsonl.gz")).output


@pytest.mark.parametrize(
    "command", ["rm -rf x", "homing serve", "homing lab", "homing", "homing incident close"]
)
def test_a_record_from_somebody_else_cannot_run_just_anything(command: str) -> None:
    with pytest.raises(ConfigError, match="expected one of"):
        command_again(command)


def test_outputs_are_left_out_when_a_command_is_run_again() -> None:
    line = "homing investigate log --save x.json --html=y.html --horizon 6h"
    assert command_again(line) == ["investigate", "log", "--horizon", "6h", "--json"]
