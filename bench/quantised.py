"""Size, error and speed of quantised models against the same in f32: `models quantize` measures the error, `bench` the speed,
all forms of a model taking turns."""

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from common import machine, table


def run(*command: object) -> dict:
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dinoscope", type=Path, default=Path("target/release/dinoscope"))
    parser.add_argument("--models", nargs="*", default=["demo", "vits16", "vitb16", "vitl16"], help="all but the demo with random weights")
    parser.add_argument("--size", default="512")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(f"{machine()} at the start; {options.threads} threads.\n", flush=True)
    shared = ["--device", "cpu", "--threads", options.threads, "--size", options.size, "--json"]
    rows = []
    for model in options.models:
        name = model if model == "demo" else f"{model}, random weights"
        random = [] if model == "demo" else ["--random-weights"]
        with tempfile.TemporaryDirectory() as folder:
            forms = {"f32": (None, ["--model", model, *random])}
            for bits in (8, 4):
                file = Path(folder) / f"{bits}.gguf"
                written = run(options.dinoscope, "models", "quantize", model, *random, "--bits", bits, "-o", file, *shared)
                forms[f"{bits} bits"] = (written, ["--weights", file])
                # What a machine does that has no room for the unpacked weights.
                compact = 9 * run(options.dinoscope, "models", "inspect", file, "--json")["parameters"] // 8
                forms[f"{bits} bits, kept quantised"] = (None, ["--weights", file, "--weight-bytes", compact])
            times: dict[str, list[float]] = {form: [] for form in forms}
            for _ in range(options.rounds):
                for form, (_, source) in forms.items():
                    timed = run(options.dinoscope, "bench", "--iters", 3, *source, *shared)
                    assert timed["weights"] == ("quantised" if "kept" in form else "resident"), timed
                    times[form].append(timed["backbone"]["min_ms"])
        f32 = statistics.median(times["f32"])
        for form, (written, _) in forms.items():
            time = statistics.median(times[form])
            accuracy = written["accuracy"] if written else None
            rows.append([
                name,
                form,
                f"{written['bytes'] / 1e6:.1f}" if written else "",
                f"{accuracy['relative_error']:.4f}" if accuracy else "",
                f"{accuracy['patch_cosine']:.5f} ({accuracy['least_patch_cosine']:.5f})" if accuracy else "",
                f"{time:.0f}",
                f"{time / f32:.2f}",
            ])
    print(table(["model", "weights", "MB", "relative error", "patch cosine (least)", "ms", "over f32"], rows))


if __name__ == "__main__":
    main()
