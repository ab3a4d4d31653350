"""Each WebAssembly program is made of the source beside it, and a mistake in it harms nobody."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import treering
from treering.core.wasm import Instance, Trap

PROGRAMS = sorted(Path(treering.__file__).parent.rglob("*.wasm"))
NAMES = [path.name for path in PROGRAMS]


@pytest.mark.parametrize("program", PROGRAMS, ids=NAMES)
def test_the_program_is_of_this_source(program: Path) -> None:
    source = program.with_suffix(".c")
    made_of = Path(f"{source}.sha256").read_text().split()[0]
    assert made_of == hashlib.sha256(source.read_bytes()).hexdigest(), (
        f"{source.name} changed: build it as its head says"
    )


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="ziglang, which compiles it, is not installed")
@pytest.mark.parametrize("program", PROGRAMS, ids=NAMES)
def test_compiling_the_source_gives_the_program(program: Path, tmp_path: Path) -> None:
    source = program.with_suffix(".c")
    command = re.search(r"python -m (ziglang cc [^\\]*)\\", source.read_text())
    assert command is not None
    made = tmp_path / program.name
    subprocess.run([sys.executable, "-m", *command[1].split(), "-o", made, source], check=True, timeout=120)
    assert made.read_bytes() == program.read_bytes()


def test_an_address_outside_of_its_memory_is_a_trap() -> None:
    instance = Instance(next(path for path in PROGRAMS if path.name == "otlp.wasm"))
    with pytest.raises(Trap, match="decode"):
        instance.call("decode", 0xFFFF_0000 - (1 << 32), 5000, 1, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits addresses this way")
def test_an_instance_needs_no_more_addresses_than_memory() -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30));"
        "from pathlib import Path; from treering.core.wasm import Instance;"
        "held = [Instance(Path(sys.argv[1])) for _ in range(20)]; print(held[-1].size)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, PROGRAMS[0]], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) < 4 << 20
