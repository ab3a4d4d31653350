"""The two inference servers: vLLM in a Docker container (json-file log) and Ollama with its own text log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from treering.testing.day import stamps
from treering.testing.day.clock import Story
from treering.testing.day.world import VLLM_MODEL

if TYPE_CHECKING:
    from treering.testing.day.host import Host
    from treering.testing.day.platform import Platform

VLLM_PATH, OLLAMA_PATH = "vllm/vllm-json.log", "ollama/ollama.log"
_S = stamps.SECOND_NS
CRASHES = 6
_START = (
    "INFO {t} [api_server.py:1896] vLLM API server version 0.11.0",
    "INFO {t} [utils.py:233] non-default args: {{'model': '{model}', 'max_model_len': {length}, 'swap_space': {swap}}}",
    "INFO {t} [model.py:547] Resolved architecture: Qwen3ForCausalLM",
    "INFO {t} [scheduler.py:205] Chunked prefill is enabled with max_num_batched_tokens=8192.",
    "INFO {t} [default_loader.py:267] Loading weights took {load:.2f} seconds",
    "INFO {t} [gpu_model_runner.py:2653] Model loading took 27.5186 GiB and {total:.6f} seconds",
    "INFO {t} [kv_cache_utils.py:1087] GPU KV cache size: 268,912 tokens",
    "INFO {t} [kv_cache_utils.py:1091] Maximum concurrency for {length:,} tokens per request: {fit:.2f}x",
    "INFO {t} [launcher.py:42] Route: /v1/chat/completions, Methods: POST",
)
_DEAD = "EngineCore encountered an issue. See stack trace (above) for the root cause."
_DEATH = (
    "ERROR {t} [core_client.py:564] Engine core proc EngineCore_DP0 died unexpectedly, shutting down client.",
    "ERROR {t} [async_llm.py:480] AsyncLLM output_handler failed.",
    "ERROR {t} [async_llm.py:480] Traceback (most recent call last):",
    'ERROR {t} [async_llm.py:480]   File "/opt/vllm/v1/engine/core_client.py", line 846, in get_output_async',
    "ERROR {t} [async_llm.py:480]     raise self._format_exception(outputs) from None",
    "ERROR {t} [async_llm.py:480] vllm.v1.engine.exceptions.EngineDeadError: " + _DEAD,
)


class Vllm:
    """Serves the open-weights model; in one story it is killed for memory again and again."""

    def __init__(self, platform: Platform, host: Host) -> None:
        """Plan the outages (`down`: begin and end of each, in nanoseconds)."""
        self._platform = platform
        self._host = host
        self._rng = platform.rng("vllm")
        self._finished: list[tuple[int, int, int, int]] = []
        self._port = 40_000
        self.down: list[tuple[int, int]] = []
        first, last = platform.clock.window(Story.CRASH)
        step = (last - first) // CRASHES
        for number in range(CRASHES):
            died = first + number * step + int(step * self._rng.uniform(0.02, 0.12))
            self.down.append((died, died + min(int(self._rng.uniform(85, 130) * _S), step * 2 // 3)))
            platform.schedule(died, self._die, number)
        platform.schedule(first - int(300 * _S * platform.clock.pace), self._reconfigure)
        platform.every(platform.clock.start_ns + 10 * _S, 10 * _S, self._statistics)
        platform.every(platform.clock.start_ns + 17 * _S, 60 * _S, self._scrape)

    def serve(self, times: tuple[int, int], response: str, input_tokens: int, output_tokens: int) -> None:
        """Write the lines of one request; `response` is the id that its span carries."""
        start_ns, end_ns = times
        parameters = "SamplingParams(n=1, temperature=0.2, top_p=0.95, top_k=20, max_tokens=1024, detokenize=True)"
        self._write(
            start_ns,
            f"INFO {stamps.vllm(start_ns)} [logger.py:40] Received request {response}: params: {parameters}, "
            "lora_request: None.",
        )
        self._port = 40_000 + (self._port + 7) % 20_000
        self._write(end_ns, f'INFO:     10.20.1.21:{self._port} - "POST /v1/chat/completions HTTP/1.1" 200 OK')
        self._finished.append((start_ns, end_ns, input_tokens, output_tokens))

    def _statistics(self, at_ns: int) -> None:
        since = at_ns - 10 * _S
        self._finished = [item for item in self._finished if item[1] > since]
        active = [item for item in self._finished if item[0] < at_ns]
        if not active or any(first <= at_ns < last for first, last in self.down):
            return
        prompt = sum(tokens for start, _, tokens, _ in active if start >= since) / 10
        made = sum(out * min(at_ns - start, 10 * _S) / max(end - start, 1) for start, end, _, out in active) / 10
        running = sum(1 for _, end, _, _ in active if end > at_ns)
        self._write(
            at_ns,
            f"INFO {stamps.vllm(at_ns)} [loggers.py:127] Engine 000: Avg prompt throughput: {prompt:.1f} tokens/s, "
            f"Avg generation throughput: {made:.1f} tokens/s, Running: {running} reqs, Waiting: 0 reqs, "
            f"GPU KV cache usage: {running * 0.6:.1f}%, Prefix cache hit rate: {self._rng.uniform(38, 61):.1f}%",
        )

    def _scrape(self, at_ns: int) -> None:
        at_ns += self._rng.randrange(_S)
        if not any(first <= at_ns < last for first, last in self.down):
            self._write(at_ns, f'INFO:     10.20.1.9:{51000 + at_ns // _S % 997} - "GET /metrics HTTP/1.1" 200 OK')

    def _reconfigure(self, at_ns: int) -> None:
        body = "config change applied host=gpu-01 container=vllm swap_space: 4 -> 64 (by: kira.lang, ticket OPS-1187)"
        self._platform.document("deployer", at_ns, "INFO", body)
        self._platform.truth.fact(Story.CRASH, cause="swap_space raised from 4 to 64 GiB", crashes=CRASHES)

    def _die(self, at_ns: int, number: int) -> None:
        marker = self._host.oom_kill(at_ns, 21_800 + number * 137)
        p = self._platform
        p.show_line(Story.CRASH, "host/gpu-01.syslog", marker, host="gpu-01", process="VLLM::EngineCor")
        when = at_ns + _S // 2
        for offset, line in enumerate(_DEATH):
            text = line.format(t=stamps.vllm(when))
            self._write(when + offset * 100_000, text)
            if offset == 0:
                p.show_line(Story.CRASH, VLLM_PATH, text, model=VLLM_MODEL)
        self._start(at_ns + 4 * _S, self.down[number][1])

    def _start(self, at_ns: int, ready_ns: int) -> None:
        load = max((ready_ns - at_ns) / 1e9 - 20, 3.0)
        facts = {"model": VLLM_MODEL, "length": 32768, "swap": 64, "load": load, "total": load + 1.7, "fit": 8.21}
        step = (ready_ns - at_ns) // (len(_START) + 1)
        for number, line in enumerate(_START):
            when = at_ns + number * step
            self._write(when, line.format(t=stamps.vllm(when), **facts))
        self._write(ready_ns - step // 2, "INFO:     Application startup complete.")

    def _write(self, at_ns: int, text: str) -> None:
        line = {"log": f"(APIServer pid=1) {text}\n", "stream": "stderr", "time": stamps.iso(at_ns, 9)}
        self._platform.out.line(VLLM_PATH, at_ns, json.dumps(line, separators=(",", ":")))


class Ollama:
    """Serves small talk with a small model that is unloaded after five idle minutes."""

    def __init__(self, platform: Platform) -> None:
        """Start idle."""
        self._platform = platform
        self._rng = platform.rng("ollama")
        self._last_ns = 0
        platform.every(platform.clock.start_ns + 29 * _S, 120 * _S, self._probe)

    def serve(self, start_ns: int, end_ns: int) -> None:
        """Write the access line of one request, and how the model was loaded if it was not."""
        if start_ns - self._last_ns > 300 * _S:
            self._load(start_ns)
        self._last_ns = max(self._last_ns, end_ns)
        self._access(end_ns, 200, _go_duration(end_ns - start_ns), "10.20.1.20", "POST", "/api/chat")

    def _probe(self, at_ns: int) -> None:
        self._access(at_ns, 200, f"{self._rng.uniform(20, 90):.3f}µs", "10.20.1.9", "GET", "/api/version")

    def _access(self, at_ns: int, status: int, took: str, address: str, method: str, path: str) -> None:
        line = f'[GIN] {stamps.gin(at_ns)} | {status} | {took:>12} | {address:>15} | {method:<8} "{path}"'
        self._platform.out.line(OLLAMA_PATH, at_ns, line)

    def _load(self, at_ns: int) -> None:
        free = self._rng.uniform(14, 21)
        blob = "/root/.ollama/models/blobs/sha256-667b0c1932bc"
        fits = 'sched.go:786 msg="new model will fit in available VRAM in single GPU, loading"'
        lines = (
            f'{fits} model={blob} parallel=4 available={int(free * 2**30)} required="6.5 GiB"',
            f'server.go:135 msg="system memory" total="251.4 GiB" free="{free * 6:.1f} GiB" free_swap="8.0 GiB"',
            f'server.go:637 msg="llama runner started in {self._rng.uniform(1.2, 2.9):.2f} seconds"',
        )
        for number, text in enumerate(lines):
            when = at_ns + number * 40_000_000
            time = stamps.iso(when, 3)
            self._platform.out.line(OLLAMA_PATH, when, f"time={time} level=INFO source={text}")


def _go_duration(nanoseconds: int) -> str:
    """Return a duration as Go prints it: `812.4ms`, `1.25s`."""
    unit, name = (1_000_000, "ms") if nanoseconds < _S else (_S, "s")
    return f"{nanoseconds / unit:.9f}".rstrip("0").rstrip(".") + name
