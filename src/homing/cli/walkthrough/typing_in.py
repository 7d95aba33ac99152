"""What a person types in a walkthrough: choices, commands, and words that end with a dot."""

from __future__ import annotations

import io
import select
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

from homing.cli.walkthrough.screen import Screen
from homing.system import SystemClock
from homing.walkthrough.assess.words import count_of_words
from homing.walkthrough.clock import Pace, minutes, pace, spoken_s

END: Final = "."
_TICK_S: Final = 0.5


class Ended(Exception):
    """There is no more input, or somebody wants to stop; what was typed is in `text`."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        super().__init__(text)


class Said(NamedTuple):
    """Words that were handed in."""

    text: str
    at_us: int
    is_said: bool = False  #: aloud, by the clock


class Keyboard:
    """Standard input, a line at a time: a person, or a pipe."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")  # a byte that is no letter stops nobody
        self.is_live = sys.stdin.isatty() and sys.stdout.isatty()
        if self.is_live:
            import readline  # noqa: F401 (makes `input` a line that can be edited)

    def line(self, prompt: str) -> str:
        """One line without its end.

        Raises:
            Ended: there are no more.
        """
        if self.is_live:
            try:
                return input(prompt)
            except EOFError:
                sys.stdout.write("\n")
                raise Ended from None
            except KeyboardInterrupt:
                sys.stdout.write("\n")
                raise
        sys.stdout.write(f"{prompt.rstrip()}\n")
        sys.stdout.flush()
        text = sys.stdin.readline()
        if not text:
            raise Ended
        return text.rstrip("\n")

    def words(self, *, draft: str, prompt: Callable[[str], str]) -> str:
        """Lines up to one that is only a dot, or a command, which begins with a colon.

        Args:
            draft: words of an earlier time, which are gone on with.
            prompt: what is shown before each line, given the words so far.

        Raises:
            Ended: no more input; the words so far are in it. Ctrl-C does the same.
        """
        lines = [draft] if draft else []
        try:
            while True:
                line = self.line(prompt("\n".join(lines)))
                if line.strip() == END:
                    return "\n".join(lines)
                if line.startswith(":"):
                    raise Command(line.strip(), "\n".join(lines))
                lines.append(line)
        except Ended:
            raise Ended("\n".join(lines)) from None
        except KeyboardInterrupt:
            raise Interrupted("\n".join(lines)) from None

    def wait_by_clock(self, target_s: float) -> float:
        """Somebody speaks until they press Enter; the clock informs, and never cuts off.

        Returns:
            Seconds it took.
        """
        clock = SystemClock()
        begun = clock.now_us()
        if not self.is_live:
            self.line("Speak; Enter stops the clock.")
            return (clock.now_us() - begun) / 1_000_000
        told = Pace.ON_TRACK
        while True:
            took = (clock.now_us() - begun) / 1_000_000
            now = pace(took, target_s)
            if not self.screen.is_plain:
                left = target_s - took
                rest = f"{minutes(left)} left" if left >= 0 else f"{minutes(-left)} over"
                self.screen.clock(
                    f"  {minutes(took)} of {minutes(target_s)}  {rest}  {now.value}   (Enter stops)"
                )
            elif now is not told:
                self.screen.say(f"{minutes(took)}: {now.value}")
            told = now
            if select.select([sys.stdin], [], [], _TICK_S)[0]:
                sys.stdin.readline()
                if not self.screen.is_plain:
                    self.screen.clock("")
                return (clock.now_us() - begun) / 1_000_000


class Command(Exception):
    """A line that begins with a colon, and the words before it."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        super().__init__(name)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, and the words before it."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)


def estimate(text: str, target_s: float, words_per_minute: float) -> str:
    """How typed words stand against their time: "0:12 of 0:26, on track"."""
    took = spoken_s(count_of_words(text), words_per_minute)
    return f"{minutes(took)} of {minutes(target_s)}, {pace(took, target_s).value}"
