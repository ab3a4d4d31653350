"""The hosts: what kernel, cron, ssh and docker write through syslog (RFC 3164 as rsyslog's traditional file format)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.testing.day import otlp, stamps
from treering.testing.day.clock import Story

if TYPE_CHECKING:
    from treering.testing.day.platform import Platform

_S = stamps.SECOND_NS
_BOOT_S = 812_345
_CONTAINER = "4f1d9a7c02be6637c1a8"
_NOISE = (
    "CRON[{pid}]: (root) CMD (   cd / && run-parts --report /etc/cron.hourly)",
    "systemd[1]: Started session-{n}.scope - Session {n} of User deploy.",
    "systemd[1]: session-{n}.scope: Deactivated successfully.",
    "sshd[{pid}]: Accepted publickey for deploy from 10.20.4.{host} port {port} ssh2: ED25519 SHA256:q8Zr3vXb0TnWk1",
    "sshd[{pid}]: pam_unix(sshd:session): session opened for user deploy(uid=1001) by deploy(uid=0)",
    "sshd[{pid}]: Invalid user admin from 198.51.100.{host} port {port}",
    'dockerd[1180]: time="{iso}" level=info msg="ignoring event" container={id} topic=/tasks/delete',
    "kernel: [{up}] veth{n}: renamed from eth0",
    "systemd[1]: Starting logrotate.service - Rotate log files...",
    "chronyd[812]: Selected source 10.20.1.1",
    "nvidia-persistenced[1033]: device 0000:4b:00.0 - persistence mode enabled.",
    "kernel: [{up}] TCP: request_sock_TCP: Possible SYN flooding on port 0.0.0.0:8000. Sending cookies.",
)


class Host:
    """Writes the system logs of both GPU machines and the host metrics of one."""

    def __init__(self, platform: Platform) -> None:
        """Schedule the usual noise."""
        self._platform = platform
        self._rng = platform.rng("host")
        start = platform.clock.start_ns
        platform.every(start + 3 * _S, 71 * _S, lambda at_ns: self._noise(at_ns, "gpu-01"))
        platform.every(start + 7 * _S, 83 * _S, lambda at_ns: self._noise(at_ns, "train-01"))
        platform.every(start + 30 * _S, 60 * _S, self._metrics)
        if Story.TRAINING in platform.clock.stories:
            platform.schedule(platform.clock.at(3.12), self._memory_error)

    def write(self, at_ns: int, host: str, text: str) -> str:
        """Write a line of `host`; returns it."""
        line = f"{stamps.bsd(at_ns)} {host} {text}"
        self._platform.out.line(f"host/{host}.syslog", at_ns, line)
        return line

    def oom_kill(self, at_ns: int, pid: int) -> str:
        """Write how the kernel kills vLLM's engine on gpu-01; returns the line that names the victim."""
        up = self._uptime(at_ns)
        group = f"/system.slice/docker-{_CONTAINER}.scope"
        self.write(
            at_ns,
            "gpu-01",
            f"kernel: [{up}] VLLM::EngineCor invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        )
        self.write(
            at_ns + 1_000,
            "gpu-01",
            f"kernel: [{up}] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=docker-{_CONTAINER}.scope,"
            f"mems_allowed=0-1,oom_memcg={group},task_memcg={group},task=VLLM::EngineCor,pid={pid},uid=0",
        )
        rss = 66_000_000 + self._rng.randint(0, 900_000)
        victim = self.write(
            at_ns + 2_000,
            "gpu-01",
            f"kernel: [{up}] Memory cgroup out of memory: Killed process {pid} (VLLM::EngineCor) total-vm:"
            f"{rss + 31_000_000}kB, anon-rss:{rss}kB, file-rss:184320kB, shmem-rss:0kB, UID:0 pgtables:131072kB "
            "oom_score_adj:0",
        )
        when = at_ns + 2 * _S
        self.write(
            when,
            "gpu-01",
            f'dockerd[1180]: time="{stamps.iso(when, 9)}" level=info msg="ignoring event" container={_CONTAINER} '
            "module=libcontainerd namespace=moby topic=/tasks/delete type=*events.TaskDelete",
        )
        return victim

    def _memory_error(self, at_ns: int) -> None:
        """Write a contained memory error of the third GPU of train-01: what spoils the training run later."""
        pci, p = "0000:b1:00", self._platform
        head = f"NVRM: Xid (PCI:{pci}):"
        remap = "pid='<unknown>', name=<unknown>, Row Remapper: New row marked for remapping, reset gpu to activate."
        contained = "pid=114, name=python, Contained: CE User Channel (0x9). RST: No, D-RST: No"
        for offset, text in ((0, f"{head} 63, {remap}"), (900_000_000, f"{head} 94, {contained}")):
            when = at_ns + offset
            line = self.write(when, "train-01", f"kernel: [{self._uptime(when)}] {text}")
            p.show_line(Story.TRAINING, "host/train-01.syslog", line, host="train-01", gpu=pci)

    def _noise(self, at_ns: int, host: str) -> None:
        rng = self._rng
        at_ns += rng.randrange(_S)
        text = rng.choice(_NOISE).format(
            pid=rng.randint(2_000, 99_000),
            n=rng.randint(100, 9_999),
            host=rng.randint(2, 250),
            port=rng.randint(30_000, 60_000),
            iso=stamps.iso(at_ns, 9),
            id=_CONTAINER,
            up=self._uptime(at_ns),
        )
        self.write(at_ns, host, text)

    def _metrics(self, at_ns: int) -> None:
        p, rng = self._platform, self._rng
        memory = 92e9 + rng.gauss(0, 8e8)
        if p.clock.during(Story.CRASH, at_ns):
            first, last = p.clock.window(Story.CRASH)
            memory += 66e9 * ((at_ns - first) % ((last - first) // 6)) / ((last - first) / 6)
        busy = min(0.97, 0.08 + 0.3 * p.clock.load(at_ns) * rng.uniform(0.7, 1.3))
        service = ("gpu-01", "")
        used = otlp.gauge("system.memory.usage", "By", at_ns, [({"state": "used"}, memory)])
        p.out.proto("otlp_metrics", service, at_ns, used)
        points = [({"hw.id": "GPU-0", "hw.gpu.task": "general"}, busy)]
        p.out.proto("otlp_metrics", service, at_ns, otlp.gauge("hw.gpu.utilization", "1", at_ns, points))

    def _uptime(self, at_ns: int) -> str:
        seconds = _BOOT_S + (at_ns - self._platform.clock.start_ns) / 1e9
        return f"{seconds:.6f}"
