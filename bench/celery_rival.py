"""What people do instead: Celery with Redis, and `requests.post` in a task. As a comparison.

    python bench/celery_rival.py --install      makes its environment in var/celery
    python bench/celery_rival.py --count 3000   prints deliveries per second

It is given less to do than Homing: no HTTP in front of it (the publisher calls `delay` itself), no
row and no log line per delivery, and Redis is not told to write anything to disk before it answers.
The request it sends is the same: 600 bytes, signed, with the headers of Standard Webhooks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

HERE = Path(__file__).resolve()
ROOT = HERE.parents[1]
HOME = ROOT / "var" / "celery"
PYTHON = HOME / "bin" / "python"
PACKAGES = ("celery[redis]>=5.4,<6", "requests>=2.31,<3")
_WAIT_MAX_S = 120.0


class Absent(Exception):
    """It cannot be compared with; says what to do."""


TASKS = """
import base64, hashlib, hmac, os, time
import requests
from celery import Celery

app = Celery("rival", broker=os.environ["RIVAL_BROKER"])
app.conf.broker_connection_retry_on_startup = True
KEY = b"k" * 24
URL = os.environ["RIVAL_URL"]

@app.task(bind=True, max_retries=7, ignore_result=True)
def deliver(self, id, body):
    at = str(int(time.time()))
    signed = hmac.new(KEY, f"{id}.{at}.{body}".encode(), hashlib.sha256).digest()
    headers = {
        "content-type": "application/json", "webhook-id": id, "webhook-timestamp": at,
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }
    try:
        requests.post(URL, data=body, headers=headers, timeout=15).raise_for_status()
    except requests.RequestException as error:
        raise self.retry(exc=error, countdown=5)
"""

PUBLISH = """
import sys
from rival_tasks import deliver
body = '{"amount":4200,"currency":"EUR","filler":"%s"}' % ("x" * 555)
for number in range(int(sys.argv[1]), int(sys.argv[2])):
    deliver.delay(f"msg_{number:027d}", body)
"""


def install() -> None:
    """Make its environment."""
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", HOME], check=True)
    command = [PYTHON, "-m", "pip", "install", "--quiet", *PACKAGES]
    subprocess.run(command, check=True)


def versions() -> str:
    """Of all that takes part. Raises: Absent."""
    if shutil.which("redis-server") is None:
        raise Absent("redis-server is missing: apt-get install redis-server")
    if not PYTHON.exists():
        raise Absent("Celery is missing: python bench/celery_rival.py --install")
    words = "import celery, requests; print(celery.__version__, requests.__version__)"
    printed = subprocess.run(
        [PYTHON, "-c", words], capture_output=True, text=True, check=True
    ).stdout.split()
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True)
    number = redis.stdout.split("v=")[1].split()[0]
    return f"Celery {printed[0]}, requests {printed[1]}, Redis {number}"


def measure(count: int, workers: int = 2) -> dict[str, float]:
    """Publish `count` tasks and wait until the receiver has them all.

    Args:
        workers: processes of the worker; Celery's default is the number of cores.

    Returns:
        `rate` per second from the first publication to the last receipt, and `cpu_us` of the
        worker per delivery.

    Raises:
        Absent: Redis or Celery is not installed.
    """
    from bench.processes import Receiver, usage, with_descendants
    from tests.support.ports import free_port

    versions()
    folder = Path(tempfile.mkdtemp(prefix="homing-rival-"))
    (folder / "rival_tasks.py").write_text(TASKS)
    (folder / "publish.py").write_text(PUBLISH)
    port = free_port()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        receiver = stack.enter_context(Receiver(folder))
        environment = os.environ | {
            "RIVAL_BROKER": f"redis://127.0.0.1:{port}/0",
            "RIVAL_URL": f"{receiver.url}/rival",
        }

        def start(*command: object) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(_end, process)
            return process

        start("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", folder)
        time.sleep(1.0)
        worker = start(
            *(PYTHON, "-m", "celery", "-A", "rival_tasks", "worker"),
            *("--concurrency", workers, "--loglevel", "error"),
        )
        warm = max(count // 10, 10)
        start(PYTHON, "publish.py", 0, warm).wait(_WAIT_MAX_S)
        _wait_for(receiver, warm)
        before = usage(with_descendants(worker.pid))
        began_s = time.monotonic()
        publisher = start(PYTHON, "publish.py", warm, warm + count)
        _wait_for(receiver, warm + count)
        took_s = time.monotonic() - began_s
        used = usage(with_descendants(worker.pid)) - before
        publisher.wait(_WAIT_MAX_S)
        return {"rate": count / took_s, "cpu_us": used.cpu_s / count * 1e6}


def _wait_for(receiver: object, count: int) -> None:
    deadline_s = time.monotonic() + _WAIT_MAX_S
    while receiver.so_far()[0] < count:  # type: ignore[attr-defined]
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"Celery did not deliver {count} within {_WAIT_MAX_S:.0f} s")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    if process.poll() is None:
        process.kill()
        process.wait()


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--install", action="store_true")
    arguments.add_argument("--count", type=int, default=3_000)
    arguments.add_argument("--workers", type=int, default=2)
    options = arguments.parse_args()
    if options.install:
        install()
        return 0
    sys.path.insert(0, str(ROOT))
    try:
        print(versions())
        print(json.dumps(measure(options.count, options.workers)))
    except Absent as absent:
        print(f"not compared with Celery: {absent}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
