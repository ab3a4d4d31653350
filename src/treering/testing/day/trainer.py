"""The training run: torchrun with four ranks and the Hugging Face Trainer, in a pod whose log has CRI's format."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from treering.testing.day import stamps
from treering.testing.day.clock import DAY_NS, Story

if TYPE_CHECKING:
    from treering.testing.day.platform import Platform

PATH = "train/trainer-0.log"
_S = stamps.SECOND_NS
_LOG_EVERY_S = 12
_SAVE_EVERY = 200
_STEPS_AN_EPOCH = 9704
_API = "torch/distributed/elastic/multiprocessing/api.py"
FIRST_RANK, _PIDS = 2, (112, 113, 114, 115)
_HEADER = (
    "***** Running training *****",
    "  Num examples = 1,242,112",
    "  Num Epochs = 2",
    "  Instantaneous batch size per device = 8",
    "  Total train batch size (w. parallel, distributed & accumulation) = 128",
    "  Gradient Accumulation steps = 4",
    "  Total optimization steps = 16,480",
    "  Number of trainable parameters = 1,543,714,304",
)
_THREADS = (
    "Setting OMP_NUM_THREADS environment variable for each process to be 1 in default, to avoid your system being "
    "overloaded, please further tune the variable for optimal performance in your application as needed. "
)
_TRACE = (
    "Traceback (most recent call last):",
    '  File "/workspace/train.py", line 188, in <module>',
    "    main()",
    '  File "/workspace/train.py", line 181, in main',
    "    trainer.train(resume_from_checkpoint=args.resume)",
    '  File "/opt/conda/lib/python3.12/site-packages/transformers/trainer.py", line 2325, in train',
    "    return inner_training_loop(",
    '  File "/workspace/guards.py", line 41, in training_step',
    '    raise FloatingPointError(f"loss is not finite at step {step} on rank {rank}: {loss}")',
)


class Trainer:
    """Trains every night; on the last one the loss becomes NaN and rank 2 gives up first."""

    def __init__(self, platform: Platform) -> None:
        """Schedule one run a night."""
        self._platform = platform
        self._rng = platform.rng("trainer")
        self._healthy_step = 0
        clock = platform.clock
        nights = max(1, math.ceil((clock.end_ns - clock.start_ns) / DAY_NS))
        for night in range(nights):
            begin = clock.at(22.0) - night * DAY_NS
            if begin >= clock.start_ns:
                end = clock.at(3.55) - night * DAY_NS
                platform.schedule(begin, self._begin, end, night == 0 and Story.TRAINING in clock.stories)

    def _begin(self, at_ns: int, end_ns: int, fails: bool) -> None:
        head = f"W{stamps.glog(at_ns)} 71 torch/distributed/run.py:774] "
        for text in ("*" * 41, _THREADS, "*" * 41):
            self._write(at_ns, "stderr", head + text)
        for rank, pid in enumerate(_PIDS):
            when = at_ns + 4 * _S + rank * 30_000_000
            self._write(when, "stdout", f"train-01:{pid}:{pid} [{rank}] NCCL INFO Bootstrap : Using eth0:10.20.1.40<0>")
        for text in _HEADER:
            self._write(at_ns + 9 * _S, "stderr", f"[transformers] {text}")
        self._platform.schedule(at_ns + 20 * _S, self._progress, 10, (at_ns, end_ns), fails)

    def _progress(self, at_ns: int, step: int, times: tuple[int, int], fails: bool) -> None:
        begin_ns, end_ns = times
        if at_ns >= end_ns:
            self._fail(at_ns, step) if fails else self._finish(at_ns, begin_ns)
            return
        clock, share = self._platform.clock, (at_ns - begin_ns) / (end_ns - begin_ns)
        late = self._ill(at_ns) if fails else 0.0
        loss = 1.32 + 1.7 * math.exp(-5 * share) + self._rng.gauss(0, 0.02)
        grad = 0.7 + 0.5 * math.exp(-4 * share) + abs(self._rng.gauss(0, 0.12))
        if late >= 1:
            texts = ("nan", "nan")
        else:
            texts = (f"{loss * (1 + 6 * late**3):.4g}", f"{grad * math.exp(7 * late):.4g}")
        rate = 2e-5 * min(1.0, share * 20) * (1 + math.cos(math.pi * share)) / 2
        epoch = f"{step / _STEPS_AN_EPOCH:.4g}"
        line = _report(loss=texts[0], grad_norm=texts[1], learning_rate=f"{rate:.4g}", epoch=epoch)
        self._write(at_ns, "stdout", line)
        if late >= 0.4:
            story = Story.TRAINING
            self._platform.show_line(story, PATH, line, host="train-01", run="nightly-1.5b")
        elif late == 0:
            self._healthy_step = step
        if step % _SAVE_EVERY == 0:
            self._save(at_ns + _S, step, loss)
        pause = int(_LOG_EVERY_S * _S * self._rng.uniform(0.97, 1.05) * min(1.0, clock.pace * 4))
        self._platform.schedule(at_ns + pause, self._progress, step + 10, times, fails)

    def _ill(self, at_ns: int) -> float:
        """Return how far the run has gone wrong: 0 healthy, 1 and more NaN."""
        clock = self._platform.clock
        first, broken = clock.at(3.14), clock.at(3.34)
        return max(0.0, (at_ns - first) / (broken - first))

    def _save(self, at_ns: int, step: int, loss: float) -> None:
        folder = f"/ckpt/nightly-1.5b/checkpoint-{step}"
        if step % (10 * _SAVE_EVERY) == 0:
            self._write(at_ns, "stderr", "[transformers] ***** Running Evaluation *****")
            epoch = f"{step / _STEPS_AN_EPOCH:.4g}"
            speed = {"eval_runtime": "21.84", "eval_samples_per_second": "93.77", "eval_steps_per_second": "2.93"}
            text = _report(eval_loss=f"{loss + 0.04:.4g}", **speed, epoch=epoch)
            self._write(at_ns + _S, "stdout", text)
        self._write(at_ns + _S, "stderr", f"[transformers] Saving model checkpoint to {folder}")
        self._write(at_ns + _S, "stderr", f"[transformers] Model weights saved in {folder}/model.safetensors")

    def _finish(self, at_ns: int, begin_ns: int) -> None:
        seconds = (at_ns - begin_ns) / 1e9
        self._write(at_ns, "stderr", "[transformers] ")
        self._write(
            at_ns, "stderr", "Training completed. Do not forget to share your model on huggingface.co/models =)"
        )
        text = _report(train_runtime=f"{seconds:.4g}", train_samples_per_second="61.2", train_loss="1.478", epoch="1.7")
        self._write(at_ns + _S, "stdout", text)

    def _fail(self, at_ns: int, step: int) -> None:
        p, story = self._platform, Story.TRAINING
        p.truth.fact(story, first_failing_rank=FIRST_RANK, last_good_checkpoint=_last_save(self._healthy_step))
        error = f"FloatingPointError: loss is not finite at step {step} on rank {FIRST_RANK}: nan"
        for number, text in enumerate((*_TRACE, error)):
            self._write(at_ns + number * 50_000, "stderr", f"[rank{FIRST_RANK}]: {text}")
        p.show_line(story, PATH, error, rank=str(FIRST_RANK))
        when = at_ns + 2 * _S
        for rank, pid in enumerate(_PIDS):
            if rank != FIRST_RANK:
                self._write(
                    when, "stderr", f"W{stamps.glog(when)} 71 {_API}:908] Sending process {pid} closing signal SIGTERM"
                )
        when += 3 * _S
        pid = _PIDS[FIRST_RANK]
        text = f"failed (exitcode: 1) local_rank: {FIRST_RANK} (pid: {pid}) of binary: /opt/conda/bin/python3.12"
        self._write(when, "stderr", f"E{stamps.glog(when)} 71 {_API}:882] {text}")
        p.show_line(story, PATH, text)
        for number, text in enumerate(_summary(at_ns)):
            self._write(when + (number + 1) * 20_000, "stderr", text)

    def _write(self, at_ns: int, stream: str, text: str) -> None:
        self._platform.out.line(PATH, at_ns, f"{stamps.iso(at_ns, 9)} {stream} F {text}")


def _report(**values: str) -> str:
    """Return a dict as the Trainer prints it; since transformers 5 all values are strings."""
    return str(values)


def _last_save(step: int) -> int:
    return step // _SAVE_EVERY * _SAVE_EVERY


def _summary(at_ns: int) -> tuple[str, ...]:
    """Return torchrun's report on the first failure."""
    return (
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ",
        "=" * 60,
        "train.py FAILED",
        "-" * 60,
        "Failures:",
        "  <NO_OTHER_FAILURES>",
        "-" * 60,
        "Root Cause (first observed failure):",
        "[0]:",
        f"  time      : {stamps.torch_summary(at_ns)}",
        "  host      : train-01",
        f"  rank      : {FIRST_RANK} (local_rank: {FIRST_RANK})",
        f"  exitcode  : 1 (pid: {_PIDS[FIRST_RANK]})",
        "  error_file: <N/A>",
        "  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html",
        "=" * 60,
    )
