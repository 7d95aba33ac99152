"""The explorer finds what is planted, and nothing where nothing is."""

from __future__ import annotations

import pickle
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from homing.core.errors import Invalid
from homing.sim import loop
from homing.sim.draws import FirstInFirstOut
from homing.sim.workers import explore as exploring
from homing.sim.workers import prepare as preparing
from homing.sim.workers.case import Case, declared
from homing.sim.workers.explore import Plan, Report, explore, run_some, try_all_small
from homing.sim.workers.loading import load_worker, unusable
from homing.sim.workers.prepare import prepare, watchdog
from homing.sim.workers.schedule import parse_token, run_world, schedule_of

PLANTED = Path(__file__).with_name("planted.py")

#: worker → what it breaks
BUGS = {
    "Unfenced": {"an_end_is_for_ever"},
    "CheckThenPut": {"an_end_is_for_ever"},
    "Unleased": {"nothing_is_lost"},
    "NoClaim": {"an_end_is_for_ever"},
    "Hopeful": {"delivered_means_2xx"},
    "Hasty": {"dead_only_after_refusals"},
    "Popping": {"nothing_is_lost", "an_end_is_for_ever"},
    "Resending": {"nothing_is_sent_after_success"},
    "Forgetful": {"nothing_is_lost"},
}
SOUND = ("Sound", "Concurrent", "Deleting", "Quarantining")


def case_of(name: str, **given: object) -> Case:
    which = f"{PLANTED}:{name}"
    return prepare(declared(load_worker(which), which, **given))


def look(name: str, runs: int, **given: object) -> Report:
    plan = Plan(runs=runs, priority_runs=runs // 4, small_runs=runs // 2)
    return explore(case_of(name, **given), plan)


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found_and_made_small(name: str) -> None:
    found = look(name, 2_000).found
    assert found is not None
    assert found.breach.invariant in BUGS[name]
    assert found.schedule.size <= 8
    again = parse_token(found.schedule.token())
    assert again.find(again.run(), found.breach.invariant) == found.breach


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("runs", [120, pytest.param(2_000, marks=pytest.mark.explore)])
def test_a_sound_worker_raises_no_alarm(name: str, workers: int, runs: int) -> None:
    report = look(name, runs, workers=workers, deliveries=workers)
    assert report.found is None, report.found
    met = report.random.met_runs
    assert all(met.get(name) for name in ("overlap", "again", "crash", "slow answer", "away"))


@pytest.mark.parametrize(
    ("strategy", "name"), [("random", "Unfenced"), ("priority", "Unfenced"), ("small", "Unfenced")]
)
def test_each_way_of_looking_finds_by_itself(strategy: str, name: str) -> None:
    case = case_of(name, deliveries=1)
    if strategy == "small":
        small = try_all_small(case, 500)
        assert small.found is not None
        assert small.found.size == 1, "by number of things out of the ordinary, the least first"
    else:
        assert run_some(case, strategy, 0, 400).broken


def test_all_small_schedules_of_a_sound_worker_are_tried() -> None:
    case = case_of("Sound", deliveries=1)
    small = try_all_small(case, 500)
    assert small.found is None
    assert small.complete == 1
    assert try_all_small(case, 1 + small.options).complete == 1, "each of them once"


def test_a_poller_that_waits_for_hours_is_waited_for() -> None:
    report = look("Patient", 60, deliveries=1)
    assert report.found is None, report.found
    assert report.random.virtual_s > 60 * 1_200
    assert not report.random.died_of


def test_the_statements_follow_from_the_numbers() -> None:
    report = look("Sound", 100)
    assert report.per_run_below == pytest.approx(1 - 0.05 ** (1 / 100))
    shallow, deep = (report.met_by_priorities(depth) for depth in exploring.DEPTHS)
    assert 0 < deep < shallow < 1


def test_a_world_is_had_again_from_what_was_chosen() -> None:
    case = case_of("Sound", workers=3, deliveries=3)
    for seed in range(40):
        first = run_world(case, seed, trace=True)
        again = schedule_of(case, first).run(trace=True)
        assert again.events == first.events
    seeds = {str(run_world(case, seed, trace=True).events) for seed in range(10)}
    assert len(seeds) == 10


def test_slow_answers_outlast_the_lease_that_the_worker_takes() -> None:
    case = case_of("Sound")
    assert 24.0 in case.delays_s, "1.2 times the lease"
    assert case.timeout_s > max(case.delays_s)
    assert case_of("Sound", timeout_s=9.0).timeout_s == 9.0


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Broken", r"dies of KeyError: 'no_such_field', at .*planted.py:\d+"),
        ("Idle", "in a calm world it sent nothing"),
        ("OtherWords", "which states are ends"),
        ("Waiting", r"planted.py:\d+ calls time.sleep: .*; await clock.sleep"),
        ("Threaded", r"planted.py:\d+ calls _thread.start_new_thread: no threads"),
        ("OnTheWire", r"planted.py:\d+ calls socket.connect: there is no network"),
        ("OnTheWall", r"planted.py:\d+ calls time.time: .*; ask clock.now"),
        ("Jittered", r"does not do the same .*planted.py:\d+ calls Random.random: .*chance.random"),
        ("Remembering", "does not do the same in the same world"),
        ("Racing", r"had done 100,000 steps after 0 s and went on; does it ask again and again"),
        ("Unawaited", "coroutine 'RowsStore.put' was never awaited"),
        ("Exiting", r"dies of SystemExit: 3, at .*planted.py:\d+"),
        ("Synchronous", "its run is no async def"),
        ("Generating", "run has a `yield` in it"),
        ("OtherPort", r"the port `store` has get, put, put_if, find and delete; there is no 'upd"),
        ("OtherSender", r"sender.send, clock.now, .* there is no 'post'"),
        ("Halved", r"is made as Worker\(store, sender, clock, chance, name\); it takes \(store\)"),
        ("Runless", "has no `run`"),
        ("Stateless", r"state_of\(store, 'd2'\) fails: KeyError: 'd2', at .*planted.py:\d+"),
        ("Tableless", "its `states` cannot be used: no such table: nowhere"),
        ("Wordless", "delivered: expected a word or a tuple of words; found 5"),
        ("Instant", r"delays_s: expected seconds, each more than 0; found \(0,\)"),
        ("nothing", "is no class and no function, but int"),
        ("Nobody", "has no 'Nobody'; it has "),
    ],
)
def test_what_cannot_be_explored_is_told_in_a_sentence(
    name: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "STEPS_MAX", 20_000)
    with pytest.raises(Invalid, match=complaint):
        case_of(name)


def test_what_a_worker_prints_and_logs_goes_to_the_trace(
    capfd: pytest.CaptureFixture[str],
) -> None:
    case = declared(load_worker(f"{PLANTED}:Talking"), f"{PLANTED}:Talking")
    result = run_world(case, 0, order=FirstInFirstOut(), choices={}, trace=True)
    assert capfd.readouterr() == ("", "")
    said = [(event.lane, event.what) for event in result.events if event.op == "says"]
    assert said[:2] == [("A", "says: takes d1"), ("A", "says: takes d1, for the record")]


def test_what_may_be_harmless_is_told(tmp_path: Path) -> None:
    notes: list[str] = []
    which = f"{PLANTED}:Timed"
    prepare(declared(load_worker(which), which), notes.append)
    assert len(notes) == 1
    assert "planted.py" in notes[0]
    assert "calls time.perf_counter: the machine's time; ask clock.now()" in notes[0]


def test_a_run_without_end_is_no_loss_and_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "STEPS_MAX", 2_000)
    report = look("Nervous", 40, deliveries=1)
    assert report.found is None, report.found
    endless = report.random.met_runs["endless"]
    assert 0 < endless < 40
    assert report.per_run_below == pytest.approx(1 - 0.05 ** (1 / (40 - endless)))


def test_a_worker_that_catches_everything_is_let_go_of_in_silence(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert look("Stubborn", 40).found is None
    assert capfd.readouterr() == ("", "")


def test_delays_that_a_worker_names_are_kept() -> None:
    assert case_of("Hurried").delays_s == (7.0,)


def test_what_another_process_refuses_is_told_as_well() -> None:
    again = pickle.loads(pickle.dumps(unusable("it never lets go")))
    assert isinstance(again, Invalid)
    assert str(again) == "worker: it never lets go"


def test_its_own_words_for_ends_can_be_said() -> None:
    worker = load_worker(f"{PLANTED}:OtherWords")
    worker.delivered = ("sent",)
    try:
        assert look("OtherWords", 50).found is None
    finally:
        del worker.delivered


def test_a_worker_that_never_lets_go_is_stopped() -> None:
    case = declared(load_worker(f"{PLANTED}:Spinning"), f"{PLANTED}:Spinning")
    text = r"planted.py:\d+: one step took 0.3 s of processor time and had not come back"
    with pytest.raises(Invalid, match=text), watchdog(0.3):
        run_world(case, 0)


def test_a_worker_that_waits_in_real_time_is_stopped() -> None:
    case = declared(load_worker(f"{PLANTED}:Waiting"), f"{PLANTED}:Waiting")
    text = r"planted.py:\d+: one step took 0.6 s and wanted next to no processor time"
    with pytest.raises(Invalid, match=text), watchdog(0.1):
        run_world(case, 0)


def test_whoever_waits_for_the_processor_is_not_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = declared(load_worker(f"{PLANTED}:Napping"), f"{PLANTED}:Napping", deliveries=1)
    with pytest.raises(Invalid, match="next to no processor time"), watchdog(0.02):
        run_world(case, 0, order=FirstInFirstOut(), choices={})
    monkeypatch.setattr(preparing, "_waited_s", time.monotonic)  # as if others had run meanwhile
    with watchdog(0.02):
        result = run_world(case, 0, order=FirstInFirstOut(), choices={})
    assert result.states == {"d1": "delivered"}


def test_somebody_elses_timer_goes_on_after_the_watchdog() -> None:
    ours = signal.setitimer(signal.ITIMER_REAL, 50, 5)
    try:
        with watchdog():
            time.sleep(0.05)
        left_s, every_s = signal.getitimer(signal.ITIMER_REAL)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *ours)
    assert 40 < left_s < 49.96
    assert every_s == 5


def test_a_good_worker_may_be_explored_for_longer_than_the_watchdog_waits() -> None:
    case = declared(load_worker(f"{PLANTED}:Sound"), f"{PLANTED}:Sound")
    until_s = time.process_time() + 0.5
    with watchdog(0.05):  # ten times over, by processor time, and not once in one step
        while time.process_time() < until_s:
            run_world(case, 0)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("no_such_package.retries:Worker", "there is no module 'no_such_package'"),
        ("no_such_file.py:Worker", "there is no file no_such_file.py"),
        ("homing.sim", "expected package.module:Worker"),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(name: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        load_worker(name)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("import no_such_thing\n", r"bad_worker.py:1: ModuleNotFoundError: No module named"),
        ("\nx = 1 / 0\n", r"bad_worker.py:2: ZeroDivisionError"),
        ("def f(:\n", r"bad_worker.py:1: SyntaxError"),
    ],
)
def test_what_cannot_be_imported_says_where(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "bad_worker.py"
    path.write_text(text)
    with pytest.raises(Invalid, match=complaint):
        load_worker(f"{path}:Worker")


def test_the_watchdog_asks_a_world_that_has_not_begun_its_first_step() -> None:
    code = loop.VirtualLoop._run_until.__code__
    frame: Any = SimpleNamespace(f_code=code, f_back=None, f_locals={"self": "a world"})
    pulse = preparing._Pulse()
    assert not pulse.is_still(frame)
    assert pulse.is_still(frame)
