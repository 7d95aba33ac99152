"""`homing reproduce`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from support.processes import without_our_options

from homing.cli.reproduce import reproduce
from homing.core.errors import Invalid

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "retry_workers" / "stale_writer.py"
FAULTY, FIXED = f"{EXAMPLE}:Worker", f"{EXAMPLE}:Fixed"


def run(*words: str) -> Result:
    return CliRunner().invoke(reproduce, words)


def incident(tmp_path: Path, mechanism: str | None, **settings: float) -> Path:
    path = tmp_path / "incident.json"
    steps = [
        {"who": "A", "op": "claim", "note": "attempt 1, lease until L"},
        {"who": "database", "op": "expire", "note": "L passes"},
    ]
    skeleton = {"steps": steps, "settings": {"lease_checked_at_write": "false", **settings}}
    hypothesis = {"mechanism": mechanism, "sentence": "a late write", "skeleton": skeleton}
    path.write_text(json.dumps({"format": 1, "dropped": 3, "hypothesis": hypothesis}))
    return path


def test_what_is_found_is_one_screen_and_three_files(tmp_path: Path) -> None:
    html, mermaid, test = (tmp_path / name for name in ("a.html", "a.mmd", "test_a.py"))
    found = run(
        FAULTY, "--runs", "200", "--fixed", FIXED,
        "--html", str(html), "--mermaid", str(mermaid), "--pytest", str(test),
    )  # fmt: skip
    assert found.exit_code == 1
    assert "crossed: A made d1 pending, which was delivered" in found.output
    assert found.output.count("▶") == 2
    assert "put_if d1 refused" in found.output
    assert "reproduced 5/5" in found.output
    assert "before     it broke, d1: delivered" in found.output
    assert "after      it broke, d1: pending" in found.output
    page = html.read_text()
    assert page.count(">crosses<") == 2
    assert "<script" not in page
    assert mermaid.read_text().startswith("sequenceDiagram")
    written = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", test],
        env=without_our_options(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert "1 failed, 1 passed" in written.stdout, written.stdout
    subprocess.run(
        [sys.executable, "-m", "ruff", "check", "-q", test], check=True, cwd=tmp_path, timeout=500
    )


def test_the_example_of_the_guide_says_what_the_guide_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (ROOT / "docs/how-to/reproduce.md").read_text()
    code, told = (
        re.findall(rf"```{kind}\n(.*?)```", guide, re.DOTALL)[0] for kind in ("python", "text")
    )
    (tmp_path / "retries.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    found = run("retries.py:Worker", "--runs", "200", "--fixed", "retries.py:Fixed")
    assert [line for line in told.splitlines() if line != "…" and line not in found.output] == []
    assert run("retries.py:Fixed", "--runs", "100").exit_code == 0


def test_what_a_worker_prints_leaves_json_alone(tmp_path: Path) -> None:
    said = tmp_path / "said.py"
    said.write_text(
        EXAMPLE.read_text().replace("        try:\n", "        try:\n            print(key)\n", 1)
    )
    found = run(f"{said}:Worker", "--runs", "100", "--json")
    token = json.loads(found.stdout)["story"]["token"]
    assert "says: d1" in run("--replay", token, "--trace").output


def test_a_token_has_it_again_with_either_worker() -> None:
    found = run(FAULTY, "--runs", "200", "--json")
    token = json.loads(found.stdout)["story"]["token"]
    again = run("--replay", token, "--fixed", FIXED, "--json")
    assert again.exit_code == 1
    assert json.loads(again.stdout)["story"]["refusal"]["is_refused"]


def test_nothing_found_is_said_with_what_it_shows() -> None:
    found = run(FIXED, "--runs", "300")
    assert found.exit_code == 0
    assert "nothing found in" in found.output
    assert "with 95% confidence fewer than 0.99" in found.output
    assert "by priorities (PCT): 120 runs" in found.output


def test_an_incident_is_held_to_its_schedule(tmp_path: Path) -> None:
    path = incident(tmp_path, "D6", response_s=33.0)
    found = run(str(path), "--worker", FAULTY, "--fixed", FIXED, "--times", "12", "--json")
    assert found.exit_code == 1
    told = json.loads(found.stdout)
    assert (told["reproduced"], told["refused"], told["times"]) == (12, 12, 12)
    assert told["held"] == told["held_with_fix"] == 12
    assert told["story"]["refusal"]["is_refused"]
    sends = [cell for row in told["story"]["rows"] for cell in row["cells"][:1] if "sends" in cell]
    assert told["story"]["lanes"][0] == "worker A"
    assert sends, "A is who was first to send, as in the suspected schedule"
    seconds = told["pinned"][0].split()[-2]
    shown = run(str(path), "--worker", FAULTY, "--times", "5").output
    assert "pinned     request 1: 500 after any lease has run out; request 2: 200" in shown
    assert f"in these 5 runs that is {seconds} s, the longest delay tried" in shown
    assert "model" not in shown, "it is somebody's own worker"
    fine = run(str(path), "--worker", FIXED)
    assert fine.exit_code == 0
    assert "reproduces 0 of 20" in fine.output


def test_the_write_that_loses_it_is_marked_also_where_it_leaves_the_state_as_it_is(
    tmp_path: Path,
) -> None:
    path = incident(tmp_path, "D6", response_s=33.0)
    worker = "homing.lab.service.worker:RetryWorker"
    story = json.loads(run(str(path), "--worker", worker, "--times", "5", "--json").stdout)["story"]
    assert story["breach"]["invariant"] == "nothing_is_lost"
    marked = [at for at, row in enumerate(story["rows"]) if row["is_crossing"]]
    first, fatal = (story["rows"][at] for at in marked)
    assert first["cells"][1].startswith("put d1"), "what the other worker had planned"
    assert fatal["cells"][0].startswith("put d1"), "the late result"
    assert first["state"] == fatal["state"] == "pending"
    assert "due_at=None" not in first["version"]
    assert "due_at=None" in fatal["version"]
    after = {row["version"] for row in story["rows"][marked[1] :] if row["version"]}
    assert len(after) == 1, "nothing writes it any more"
    assert "“B put d1" in story["verdict"]
    assert "“A put d1" in story["verdict"]


def test_where_the_log_cannot_decide_each_of_its_schedules_is_tried(tmp_path: Path) -> None:
    path = tmp_path / "incident.json"
    between = [{"mechanism": "D3", "sentence": "one"}, {"mechanism": "D12", "sentence": "other"}]
    sentence = "cannot tell D3 from D12: the log has no commit time"
    hypothesis = {"mechanism": None, "sentence": sentence, "candidates": between}
    path.write_text(json.dumps({"dropped": 3, "hypothesis": hypothesis}))
    watermark = f"{ROOT / 'examples/retry_workers/watermark.py'}:Worker"
    told = json.loads(run(str(path), "--worker", watermark, "--times", "8", "--json").stdout)
    assert told["mechanism"] == "D12", "this worker breaks in one of the two schedules only"
    assert [(one["mechanism"], one["reproduced"]) for one in told["tried"]] == [
        ("D3", 0),
        ("D12", 8),
    ]
    found = run(str(path), "--times", "8")
    assert sentence in found.output
    assert found.output.count("reproduces 8 of 8 with homing.lab.explorable:") == 2
    assert found.output.count("refused    8 of 8") == 2
    assert found.output.count(", a model worker of Homing's own") == 2
    assert "your own worker was not tried" in found.output
    assert f"yours      homing reproduce {path} --worker YOUR_FILE.py:Class" in found.output


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (" \n", "is empty; expected what `homing investigate LOG --save"),
        ("{", "expected what `homing investigate LOG --save"),
        ("{", "found a file that is no JSON"),
        ("[statuses]", "found a file that is no JSON"),
        ("{}", "found JSON of something else: it has no `hypothesis`"),
        ('{"hypothesis": 3}', "found a `hypothesis` of another form"),
        (
            '{"title": "x", "causes": [], "results": {}, "timeline": []}',
            "found the record of an incident, which has no schedule in it",
        ),
        ('{"hypothesis": {"mechanism": null, "sentence": "no drop"}}', "names no mechanism"),
        ('{"hypothesis": {"mechanism": "D13"}}', "is about D13; expected one of D1, D2"),
    ],
)
def test_an_incident_that_cannot_be_used_is_told(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "incident.json"
    path.write_text(text)
    error = run(str(path)).exception
    assert isinstance(error, Invalid)
    assert complaint in str(error)


def test_what_may_have_been_meant_by_a_name_that_no_file_has_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "incident.json").write_text("{}")
    for name, meant in (
        ("stuck-procesing", "built with `homing lab stuck-processing`"),
        ("incidnet.json", "did you mean incident.json?"),
        (
            "else.toml",
            "there is no file else.toml; `homing investigate LOG --save FILE` writes one",
        ),
    ):
        error = run(name).exception
        assert isinstance(error, Invalid)
        assert meant in str(error)


def test_no_file_of_the_user_is_named_as_the_one_to_write(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text('{"a": 1}')
    told = str(run(str(tmp_path / "notes.json")).exception)
    assert f"`homing investigate LOG --save {tmp_path / 'incident.json'}` writes" in told
    (tmp_path / "incident.json").write_text("{}")
    told = str(run(str(tmp_path / "incident.json")).exception)
    assert f"LOG --save {tmp_path / 'incident-2.json'}` writes" in told


def test_an_incident_that_is_not_there_is_told(tmp_path: Path) -> None:
    error = run(str(tmp_path / "no.json")).exception
    assert isinstance(error, Invalid)
    assert "there is no file" in str(error)


def test_the_command_ends_without_a_traceback() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "homing.cli", "reproduce", "no_such.module:Worker"],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("homing: worker: there is no module 'no_such'")
    assert "Traceback" not in ended.stderr


def test_a_page_shows_no_markup_of_somebody() -> None:
    from homing.sim.workers import pages
    from homing.sim.workers.schedule import parse_token
    from homing.sim.workers.story import tell

    token = json.loads(run(FAULTY, "--runs", "100", "--json").stdout)["story"]["token"]
    story = tell(parse_token(token))
    assert story is not None
    assert "<b>" not in pages.html(msgspec.structs.replace(story, verdict="<b>"))
