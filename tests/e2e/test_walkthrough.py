"""`homing walkthrough` as a person uses it: over a pipe, in a terminal, left and gone on with."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.stories import packs, story, strong, weak
from support.walkthrough import LAB_FILE

from homing.cli.main import homing

COMMAND = [sys.executable, "-m", "homing.cli", "walkthrough"]
ESCAPE = "\x1b"


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return {**kept, "XDG_STATE_HOME": str(folder), "TERM": "xterm-256color", **more}


def process(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """As a process of its own, which is how errors become sentences and exit codes."""
    return subprocess.run(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(folder),
    )


def run(folder: Path, *words: str, said: str = "") -> Result:
    """Over a pipe, in this process."""
    runner = CliRunner(env={"XDG_STATE_HOME": str(folder)})
    return runner.invoke(homing, ["walkthrough", *words], input=said)


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, folder: Path, *words: str, **more: str) -> None:
        self.process, self.seat = pty.fork()
        if not self.process:
            # Whoever runs the tests in the background of a script ignores it, and so would this.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execve(sys.executable, [*COMMAND, *words], environment(folder, **more))
        self.seen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def wait_for(self, text: str, within_s: float = 60) -> str:
        """Read until a text is there, and forget what was read.

        Raises:
            AssertionError: it does not come in time.
        """
        end = time.monotonic() + within_s
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} in {self.seen!r}"
            if self._read(left) is None:
                break
        assert text in self.seen, self.seen
        found, _, self.seen = self.seen.partition(text)
        return found + text

    def _read(self, within_s: float) -> bool | None:
        """Read what comes; whether anything did. None: nobody writes there any more."""
        if not select.select([self.seat], [], [], within_s)[0]:
            return False
        try:
            found = os.read(self.seat, 65_536)
        except OSError:
            return None
        self.seen += self._decoder.decode(found)
        return bool(found) or None

    def type(self, text: str) -> None:
        os.write(self.seat, text.encode())

    def interrupt(self, until: str) -> None:
        """Press Ctrl-C, as a person does: again when nothing happens.

        A signal that comes in the instant before a read is seen only when that read ends.

        Raises:
            AssertionError: the text that must follow does not come within a minute.
        """
        for _ in range(5):
            os.kill(self.process, signal.SIGINT)
            with contextlib.suppress(AssertionError):
                self.wait_for(until, within_s=10)
                return
        os.kill(self.process, signal.SIGINT)
        self.wait_for(until, within_s=10)

    def end(self) -> int:
        """The exit code.

        Raises:
            AssertionError: it does not end within a minute; then it is killed.
        """
        end = time.monotonic() + 60
        while not (waited := os.waitpid(self.process, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.kill(self.process, signal.SIGKILL)
                os.waitpid(self.process, 0)
                raise AssertionError(f"it does not end: {self.seen!r}")
            if self._read(0.02) is None:
                time.sleep(0.02)
        status = waited[1]
        os.close(self.seat)
        return os.waitstatus_to_exitcode(status)


def test_what_there_is_is_listed_for_people_and_for_programs(tmp_path: Path) -> None:
    assert "lost-update" in run(tmp_path, "list").stdout
    found = json.loads(run(tmp_path, "list", "--json").stdout)
    assert [one["id"] for one in found["levels"]] == ["sde1", "sde2", "senior"]
    seconds = found["scenarios"][0]["seconds"]
    assert {name: sum(some.values()) for name, some in seconds.items()} == {
        "sde1": 120, "sde2": 150, "senior": 175,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("learn", "nowhere"), "expected one of"),
        (("mock", "--level", "sde9"), "expected one of sde1, sde2, senior; found 'sde9'"),
        (("mock", "--lens", "luck"), "expected one of"),
        (("rehearse", "--incident", "nowhere.json"), "there is no such file"),
        (("history", "7"), "expected the number of a walk"),
        (("lint", __file__), "test_walkthrough"),
    ],
)
def test_bad_input_is_one_sentence(words: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    done = process(tmp_path, *words)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_the_whole_walk_can_be_read_without_a_question(tmp_path: Path) -> None:
    done = run(tmp_path, "learn", "--all", "--plain", "--level", "senior")
    assert done.exit_code == 0
    assert ESCAPE not in done.stdout
    reply = str(story().at("senior").probes[0].strong.text)
    assert reply[:40] in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 88


def test_learn_over_a_pipe_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = run(tmp_path, "learn", "--plain", said="\n1\n")
    assert first.exit_code == 0
    assert "card 2 of" in first.stderr
    second = run(tmp_path, "learn", "--plain", said="")
    assert "going on where you stopped" in second.stderr
    assert "(2 of" in second.stdout
    again = run(tmp_path, "learn", "--plain", "--again", said="")
    assert "(1 of" in again.stdout


def test_a_quiz_is_scored_by_the_first_choices(tmp_path: Path) -> None:
    said = "1\n\n" * len(story().quiz)
    done = run(tmp_path, "quiz", "--plain", said=said)
    assert re.search(rf"\d of {len(story().quiz)} right at the first try", done.stdout)
    kept = json.loads(run(tmp_path, "history", "--json").stdout)
    assert (kept[0]["mode"], kept[0]["asked"]) == ("quiz", len(story().quiz))


def test_a_mock_ends_with_the_verdict_and_history_tells_two_apart(tmp_path: Path) -> None:
    replies = "I compared a week of the log before with a week after it.\n.\n" * 4
    bad = run(tmp_path, "mock", "--plain", said=f"{weak()}\n.\n{replies}")
    good = run(tmp_path, "mock", "--plain", said=f"{strong()}\n.\n{replies}")
    assert "verdict: lean no" in bad.stdout
    assert "verdict: strong yes" in good.stdout
    hints = " ".join(story().stages[0].hints)
    before = bad.stdout.partition("The verdict card")[0]
    assert not any(word in before for word in ("missing:", "do:", hints))
    told = run(tmp_path, "history", "--diff", "1", "2", "--plain").stdout
    assert "verdict: lean no, then strong yes" in told
    assert "hand off: was contradicted, is met" in told
    target = tmp_path / "answer.md"
    run(tmp_path, "history", "2", "--export", str(target))
    assert target.read_text().startswith("## Situation")


def test_a_rehearsal_blames_exact_words_and_shows_what_another_try_changed(tmp_path: Path) -> None:
    stage = story().stage("action")
    said = (
        ":n\n:n\n:h\nThe cause was identified and they fixed it.\n.\nr\n"
        f"{story().strong(stage, packs().levels['sde2'])}\n.\n\n:n\n:n\n"
    )
    done = run(tmp_path, "rehearse", "--plain", said=said)
    assert done.exit_code == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert f"hint: {stage.hints[0]}" in text
    assert "“they fixed it.”" in text
    assert "better: agency was" in text
    assert "[-The cause" in text
    assert "The whole story" in text


def test_a_rehearsal_by_a_record_shows_what_it_supports_and_minds_what_it_does_not(
    tmp_path: Path,
) -> None:
    said = ":d\nIn that week 0.5% of the webhooks were dropped, as I counted.\n.\n\n:d\n:q\n"
    done = run(
        tmp_path, "rehearse", "--plain", "--incident", str(LAB_FILE), "--me", "ana", said=said
    )
    assert done.exit_code == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "598 were lost: 0.3%. supported: investigate:judged, investigate:dropped" in text
    assert re.search(r"(weak|contradicted): As the record has it “[^”]*0\.5%", text)
    assert "missing in the record:" in text


def test_a_pipe_that_ends_early_keeps_what_was_said(tmp_path: Path) -> None:
    done = run(tmp_path, "rehearse", "--plain", said="I saw one webhook that never came")
    assert done.exit_code == 0
    assert "kept" in done.stderr
    again = run(tmp_path, "rehearse", "--plain", said="")
    assert "I saw one webhook that never came" in again.stdout


def test_beginning_anew_loses_nothing_that_was_told(tmp_path: Path) -> None:
    run(tmp_path, "rehearse", "--plain", said="I saw one webhook that never came\n.\nq\n")
    again = run(tmp_path, "rehearse", "--plain", "--again", said=":q\n")
    assert "(1 of 5)" in again.stdout
    (kept,) = json.loads(run(tmp_path, "history", "--json").stdout)
    assert "I saw one webhook that never came" in kept["text"]
    assert "verdict" not in kept or kept["verdict"] is None
    senior = run(tmp_path, "rehearse", "--plain", "--level", "senior", said=":q\n")
    assert "going on" not in senior.stderr


def test_ctrl_c_keeps_half_a_sentence_and_the_same_command_goes_on(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "rehearse", "--plain")
    terminal.wait_for("on track]")
    terminal.type("One Monday I noticed\n")
    terminal.wait_for("0:02 of 0:26")
    terminal.interrupt(until="kept; the same command goes on there")
    assert terminal.end() == 130
    terminal = Terminal(tmp_path, "rehearse", "--plain")
    terminal.wait_for("You had begun:")
    terminal.wait_for("One Monday I noticed")
    terminal.type(":q\n")
    terminal.wait_for("kept")
    assert terminal.end() == 0


def test_ctrl_c_while_speaking_keeps_what_was_typed_before(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "mock")
    terminal.wait_for("on track]")
    terminal.type("I began\n")
    terminal.wait_for("on track]")
    terminal.type(":say\n")
    terminal.wait_for("(Enter stops)")
    terminal.interrupt(until="kept; the same command goes on there")
    assert terminal.end() == 130
    terminal = Terminal(tmp_path, "mock")
    terminal.wait_for("I began")
    terminal.type(":q\n")
    assert terminal.end() == 0


@pytest.mark.parametrize(
    ("words", "more", "has_colour"),
    [((), {}, True), (("--plain",), {}, False), ((), {"NO_COLOR": "1"}, False)],
)
def test_colours_are_only_where_they_are_wanted(
    words: tuple[str, ...], more: dict[str, str], has_colour: bool, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, "learn", "--all", *words, **more)
    text = terminal.wait_for("on a poster?")
    os.kill(terminal.process, signal.SIGTERM)
    terminal.end()
    coloured = re.findall(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7])(?:;\d+)*m", text)
    assert bool(coloured) == has_colour


def test_wipe_leaves_nothing(tmp_path: Path) -> None:
    run(tmp_path, "quiz", said="1\n\n" * len(story().quiz))
    run(tmp_path, "learn", said="")
    assert len([one for one in tmp_path.rglob("*") if one.is_file()]) == 2
    assert run(tmp_path, "wipe", said="n\n").exit_code == 1
    assert run(tmp_path, "wipe", "--yes").exit_code == 0
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]


def test_lint_exits_by_what_it_finds(tmp_path: Path) -> None:
    assert run(tmp_path, "lint").exit_code == 0
    text = Path("src/homing/walkthrough/scenarios/lost-update.toml").read_text()
    mine = tmp_path / "lost-update.toml"
    mine.write_text(text.replace("target_s = 30", "target_s = 35", 1))
    done = run(tmp_path, "lint", str(mine), "--json")
    assert done.exit_code == 1
    assert "timers" in {one["rule"] for one in json.loads(done.stdout)}
    schema = json.loads(run(tmp_path, "lint", "--schema").stdout)
    assert "$defs" in schema
