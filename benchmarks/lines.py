"""Lines as programs print them: plain text, syslog, an access log, vLLM, with words, numbers and errors that vary.

`python -m benchmarks.lines plain 100 > plain.log` writes 100 MB of one kind; the same arguments write the same bytes.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 24, tzinfo=UTC)
PATHS = "/v1/chat/completions /v1/embeddings /healthz /api/search?q=tree+rings /static/app.3f2a.js".split()
AGENTS = (
    "python-httpx/0.28.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "curl/8.14.1",
)
# Level and message; `#` stands for a number, `@` for a long hexadecimal one.
MESSAGES = (
    ("INFO", "request @ finished in # ms with # tokens"),
    ("INFO", "loaded shard # of index docs-# from /data/index/#.bin"),
    ("DEBUG", "cache hit for key user:#:profile ttl=#s"),
    ("INFO", "connection from 10.0.#.#:# accepted"),
    ("WARNING", "queue length # above the soft limit 800, shedding load"),
    ("ERROR", "upstream timed out after #.0 s while reading response header from 10.0.0.#:8000"),
)
WEIGHTS = (40, 20, 20, 15, 4, 1)
STATISTICS = (
    "Engine 000: Avg prompt throughput: #.0 tokens/s, Avg generation throughput: #.0 tokens/s, Running: # reqs, "
    "Waiting: # reqs, GPU KV cache usage: #.5%, Prefix cache hit rate: #.5%"
)


def filled(r: random.Random, text: str) -> str:
    """Return `text` with its places filled."""
    parts = text.replace("@", f"{r.getrandbits(48):012x}").split("#")
    return parts[0] + "".join(f"{r.randrange(9000)}{part}" for part in parts[1:])


def plain(r: random.Random, at: datetime) -> str:
    """Return a line of an application that prints time, level, logger and message."""
    level, message = r.choices(MESSAGES, WEIGHTS)[0]
    return f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} {level} gateway.worker - {filled(r, message)}"


def syslog(r: random.Random, at: datetime) -> str:
    """Return a line of /var/log/syslog."""
    tag = r.choice(("kernel", f"sshd[{r.randrange(9)}00]", "systemd[1]", "dockerd[871]", "python3[4242]"))
    return f"{at:%b %e %H:%M:%S} node-{r.randrange(4)} {tag}: {filled(r, r.choices(MESSAGES, WEIGHTS)[0][1])}"


def access(r: random.Random, at: datetime) -> str:
    """Return a line of nginx's combined log."""
    status = r.choices((200, 201, 304, 404, 429, 500, 502), (80, 5, 5, 4, 3, 2, 1))[0]
    client = f"10.{r.randrange(4)}.{r.randrange(256)}.{r.randrange(256)} - - [{at:%d/%b/%Y:%H:%M:%S} +0000]"
    request = f"{r.choice(('GET', 'POST'))} {r.choice(PATHS)} HTTP/1.1"
    return f'{client} "{request}" {status} {r.randrange(90000)} "-" "{r.choice(AGENTS)}"'


def vllm(r: random.Random, at: datetime) -> str:
    """Return a line of a vLLM server: its statistics, its access lines, its requests."""
    which = r.randrange(4)
    if which == 0:
        return f"INFO {at:%m-%d %H:%M:%S} [loggers.py:271] {filled(r, STATISTICS)}"
    if which == 1:
        status = r.choices(("200 OK", "400 Bad Request", "500 Internal Server Error"), (95, 4, 1))[0]
        client = f"10.0.3.{r.randrange(256)}:{r.randrange(65536)}"
        return f'INFO:     {client} - "POST /v1/chat/completions HTTP/1.1" {status}'
    about = f"{r.choice(('Added', 'Finished'))} request chatcmpl-{r.getrandbits(128):032x}."
    return f"INFO {at:%m-%d %H:%M:%S} [async_llm.py:{r.choice((261, 419))}] {about}"


KINDS: dict[str, Callable[[random.Random, datetime], str]] = {
    "plain": plain, "syslog": syslog, "access": access, "vllm": vllm,
}  # fmt: skip


def lines(kind: str, size: int, seed: int = 7) -> Iterator[str]:
    """Yield lines of `kind`, about 200 a second of their own time, until they have `size` bytes."""
    r = random.Random(seed)
    make, at, written = KINDS[kind], START, 0
    while written < size:
        at += timedelta(milliseconds=r.randrange(10))
        line = make(r, at)
        written += len(line) + 1
        yield line


if __name__ == "__main__":
    for one in lines(sys.argv[1], int(sys.argv[2]) * 1_000_000):
        sys.stdout.write(one + "\n")
