"""What both comparisons share: running `dinoscope bench`, and a Markdown table."""

import json
import os
import platform
import subprocess
from pathlib import Path


def dinoscope_json(program: Path, part: str, *options: object) -> dict:
    """What `dinoscope bench` says about one part."""
    command = [program, "bench", "--what", part, "--random-weights", "--json", *map(str, options)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout)


def dinoscope_bench(program: Path, part: str, *options: object) -> float:
    """Median milliseconds of one part of `dinoscope bench` on the processor."""
    return dinoscope_json(program, part, "--device", "cpu", *options)[part]["median_ms"]


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """The processor, and how busy it is besides."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}"
