"""`scripts/fuzz`: each parser under atheris in a process of its own, for so many seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_STATE = Path("build/fuzz")


def main(seconds: str, name: str, *flags: str) -> int:
    if "--here" in flags:
        return _fuzz(seconds, name)
    from support.parsers import TARGETS

    failed = []
    for one in [name] if name else TARGETS:
        print(f"── {one} ──", flush=True)
        command = [sys.executable, "-m", "support.fuzzing", seconds, one, "--here"]
        if subprocess.run(command, check=False).returncode:
            failed.append(one)
    print("all parsers kept their promises" if not failed else f"broken: {', '.join(failed)}")
    return len(failed)


def _fuzz(seconds: str, name: str) -> int:
    import atheris  # type: ignore[import-not-found,unused-ignore]

    with atheris.instrument_imports(include=["homing"]):
        from support.parsers import TARGETS

    target = TARGETS[name]
    folder = _STATE / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    for number, piece in enumerate(target.pieces):
        (folder / f"piece-{number}").write_bytes(piece)
    options = [f"-max_total_time={seconds}", "-max_len=2048", "-timeout=10", "-rss_limit_mb=1024"]
    atheris.Setup([sys.argv[0], str(folder), f"-artifact_prefix={folder}/", *options], target.feed)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
