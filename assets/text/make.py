"""Makes the files of this folder from the packages named in assets/README.md.

    python3 -m venv venv && venv/bin/pip install ftfy==6.3.1
    venv/bin/pip download --no-deps open_clip_torch==3.3.0 mmsegmentation==1.2.2 -d wheels
    venv/bin/python assets/text/make.py wheels
"""

import ast
import json
import re
import sys
import zipfile
from pathlib import Path

import ftfy
from ftfy import badness, chardata

OUT = Path(__file__).parent


def read(wheels: Path, package: str, name: str) -> bytes:
    (wheel,) = wheels.glob(f"{package}-*.whl")
    return zipfile.ZipFile(wheel).read(name)


def literal(tree: ast.Module, name: str) -> list[str]:
    """The list of strings that a module assigns to `name`, or that its function of that name returns."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return ast.literal_eval(node.body[-1].value)
    raise KeyError(name)


def templates(tree: ast.Module, name: str) -> list[str]:
    """Formats `lambda c: f'a photo of a {c}.'` with a pair of braces."""
    (node,) = [n for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == name]
    return [eval(compile(ast.Expression(entry), name, "eval"))("{}") for entry in node.value.elts]


def write_lines(name: str, lines: list[str]) -> None:
    lines = [line.strip() for line in lines]
    assert all(lines) and not any("\n" in line for line in lines)
    (OUT / name).write_text("".join(f"{line}\n" for line in lines))
    print(f"{name}: {len(lines)} lines")


def escaped(code: int) -> str:
    return f"\\x{{{code:x}}}"


def rust_regex(pattern: re.Pattern[str]) -> str:
    """The same pattern without Python's own meaning of spaces, `\\s` and `\\w`."""
    parser = re._parser

    def members(items: list) -> str:
        text = ""
        for kind, value in items:
            if kind == parser.LITERAL:
                text += escaped(value)
            elif kind == parser.RANGE:
                text += f"{escaped(value[0])}-{escaped(value[1])}"
            elif kind == parser.NEGATE:
                text += "^"
            elif value == parser.CATEGORY_SPACE:
                text += r"\s\x1c-\x1f"
            elif value == parser.CATEGORY_WORD:
                text += r"\p{L}\p{N}_"
            else:
                raise ValueError((kind, value))
        return f"[{text}]"

    def sequence(items) -> str:
        text = ""
        for kind, value in items:
            if kind == parser.LITERAL:
                text += escaped(value)
            elif kind == parser.IN:
                text += members(value)
            elif kind == parser.ANY:
                text += "."
            elif kind == parser.AT and value == parser.AT_BEGINNING:
                text += "^"
            elif kind == parser.MAX_REPEAT and value[:2] == (0, 1):
                text += f"(?:{sequence(value[2])})?"
            elif kind == parser.BRANCH:
                text += "(?:" + "|".join(sequence(branch) for branch in value[1]) + ")"
            else:
                raise ValueError((kind, value))
        return text

    return sequence(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE | re.UNICODE))


def expanded(members: str) -> str:
    """Every character of the inside of a character class."""
    found = re.compile(f"[{members}]")
    return "".join(chr(code) for code in range(0x10000) if found.match(chr(code)))


def ftfy_rules() -> dict:
    high = bytes(range(0x80, 0x100))
    return {
        "source": f"ftfy {ftfy.__version__} by Robyn Speer, Apache License 2.0",
        "encodings": [
            {"name": name, "high": high.decode(name), "substitute": b"\x1a".decode(name)}
            for name in chardata.CHARMAP_ENCODINGS
        ],
        "unlikely": rust_regex(badness.BADNESS_RE),
        "utf8": {name.removeprefix("utf8_"): expanded(members) for name, members in chardata.UTF8_CLUES.items()},
    }


def main() -> None:
    wheels = Path(sys.argv[1])
    vocabulary = "open_clip/bpe_simple_vocab_16e6.txt.gz"
    (OUT / Path(vocabulary).name).write_bytes(read(wheels, "open_clip_torch", vocabulary))
    metadata = ast.parse(read(wheels, "open_clip_torch", "open_clip/zero_shot_metadata.py"))
    write_lines("templates-imagenet.txt", templates(metadata, "OPENAI_IMAGENET_TEMPLATES"))
    write_lines("classes-imagenet.txt", literal(metadata, "IMAGENET_CLASSNAMES"))
    names = ast.parse(read(wheels, "mmsegmentation", "mmseg/utils/class_names.py"))
    for file, function in {
        "ade20k": "ade_classes",
        "cityscapes": "cityscapes_classes",
        "coco-stuff": "cocostuff_classes",
        "voc": "voc_classes",
    }.items():
        write_lines(f"classes-{file}.txt", literal(names, function))
    rules = json.dumps(ftfy_rules(), ensure_ascii=True, indent=1)
    (OUT / "ftfy-rules.json").write_text(rules + "\n")


if __name__ == "__main__":
    main()
