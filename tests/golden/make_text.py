"""Makes tests/golden/text: see README.md beside this script.

    venv/bin/pip install ftfy==6.3.1 regex==2026.11.19 torch==2.9.1 torchvision==0.24.1 safetensors==0.8.0
    venv/bin/python tests/golden/make_text.py --dinov3 dinov3
"""

import argparse
import gzip
import hashlib
import html.entities
import json
import math
import random
import struct
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
import torchvision.transforms as TVT
import torchvision.transforms.functional as TVTF
from safetensors.torch import save_file
from torch import Tensor, nn

import meta
from common import Outputs, check_sensitivity, generator, randomise, relative_error, split_tokens

HERE = Path(__file__).parent
OUT = HERE / "text"
VOCABULARY = HERE.parents[1] / "assets" / "text" / "bpe_simple_vocab_16e6.txt.gz"
# Merges of the small vocabulary, so that the small tower's embeddings are small too.
MERGES = 500

HARD = [
    "", " ", "\n\t \u3000", "a", "A photo of a CAT.", "a photo of a cat, sitting on a sofa!", "don't we'll I'm you've they'd",
    "DON'T WE'LL", "it’s “curly” ‘quotes’", "'ſ 's", "x'sy", "3 cats and 12,345.67 dogs", "½ ³ Ⅷ ⅷ ① ㎏ ٣ ௧ 𝟘",
    "日本語の写真", "中文字符测试", "한국어 사진", "Привет, мир", "Ελληνικά ΣΊΣΥΦΟΣ ΣΑΣ Σ", "שלום עולם", "مرحبا بالعالم",
    "हिन्दी में पाठ", "ภาษาไทย", "ქართული", "አማርኛ", "ᏣᎳᎩ", "İstanbul IĞDIR ı", "ǅ ǈ ﬁ ﬅ ŉ Ĳ", "straße STRASSE ẞ",
    "🙂", "a 🐈 on a 🛋️", "👨‍👩‍👧‍👦 family", "🏳️‍🌈🇩🇪", "e\u0301 e\u0323\u0302 \u0301", "Å Å", "ＦＵＬＬ　ｗｉｄｔｈ ｶﾞ",
    "zero\u200bwidth\u200djoiner\ufeff", "\u202eright-to-left\u202c", "a\u00adb", "tab\tnew\nline\r\nreturn\rend",
    "a\x00b\x01c\x1b[31mred\x1b[0m\x7f", "\x1c\x1d a \x1e\x1f", "line\u2028sep\u2029par\x85nel\x0bvt\x0cff",
    "&amp; &lt;b&gt; &eacute; &EACUTE; &nbsp; &hellip;", "&amp;amp;amp; &amp;lt;", "&#233; &#xe9; &#XE9; &#x80; &#128;",
    "&notit; &not &copy &ampersand &fjlig; &NotEqualTilde;", "&#0; &#xD800; &#55357;&#56832; &#1114112; &#99999999999;",
    "&#x1c; &#13; &#xfdd0; &#x1ffff; &#12ab; &#; &#x; &; &&amp;;", "<p>&eacute;&amp;</p>", "a\n<b>\n&eacute;",
    "&ATILDE;&SUP3; &BUNDESSTRA;&SZLIG;", "&#59; &quot;quoted&apos;", "schÃ¶n", "sÃ³", "voilÃ  le travail", "voilÃ le travail",
    "Ã la carte", "Ã quele Ã s Ã quilo", "âœ” No problems", "doesnÃƒÂ¢Ã¢â€šÂ¬Ã¢â€žÂ¢t", "â€œlike thisâ€�", "lâ€™humanitÃ©",
    "ÐŸÑ€Ð¸Ð²ÐµÑ‚", "Ä°stanbul RÄ«ga", "ZURÃœCK", "naГЇve faГ§ade", "Гјber", "BÃ¶hm &amp; CÃ¶", "Ã©À\n", "é\x85 \x92x\x93",
    "MARQUÉ…", "IL Y MARQUÉ", "fratarakáÅ§ 141", "ã‚¹ãƒˆ", "ì•ˆë…•", "ðŸ˜€ emoji", "Ã¢â‚¬Å“ twice", "Å¡koda",
    "├Č├ę cp437 ├®", "√© macroman ‚Äî", "<|startoftext|>", "a <|endoftext|> b", "<|ENDOFTEXT|>", "<|endoftext|", "</w>",
    "{} {0} %s \\n \"quoted\" `code`", "https://example.org/?q=a&b=c#d", "____ ---- ==== ~~~~ ....", "!!!???...,,,", "ſtartoftext <|ſtartoftext|>",
    "supercalifragilisticexpialidocious", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "hello" * 200, "a " * 100, "word " * 76 + "last", "1 " * 75, "1 " * 74, "1 " * 76, "日" * 200, "🙂" * 100, "é" * 3000,
]  # fmt: skip
SENTENCES = [
    "a café", "naïve façade", "über Größe", "Привет мир", "日本語", "한국어", "العربية", "עברית", "Ελληνικά", "ไทย", "हिन्दी", "🙂🐈", "“curly” ‘quotes’",
    "€5 — £10", "señor año", "l’humanité", "1½ × 3² ±", "tiếng Việt", "žluťoučký kůň", "Łódź gęślą jaźń", "İstanbul ığdır", "smörgåsbord", "à la carte à",
]  # fmt: skip
WRONG_ENCODINGS = ["latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250", "sloppy-windows-1253",
                   "sloppy-windows-1254", "sloppy-windows-1257", "iso-8859-2", "macroman", "cp437"]  # fmt: skip
ALPHABET = (
    "aZ 0'.,!?\t\n\r\x00\x1b[m\x80\x85\x92\x9d\xa0\xad¡§°²½ÀÂÃÅàáâãåéíóßøœŠŸž€‚„…†ˆ‰‹›™“”‘’–—•˜ƒΑαБбвЂГ№ІÐðØÙ·\u2028\ufffd\u200b\u0301ﬁｱ！各🙂&;<#"
)


def hard_strings() -> list[str]:
    """By hand, text in the wrong encoding (once and twice, with lost spaces), and noise."""
    strings = list(HARD)
    for sentence in SENTENCES:
        for encoding in WRONG_ENCODINGS:
            wrong = sentence.encode().decode(encoding, "replace")
            strings += [wrong, f"see {wrong}".replace("\xa0", " ")]
        twice = sentence.encode().decode("sloppy-windows-1252").encode().decode("sloppy-windows-1252")
        strings.append(twice)
    chance = random.Random(1)
    for _ in range(300):
        strings.append("".join(chance.choice(ALPHABET) for _ in range(chance.randint(1, 14))))
    for _ in range(300):
        raw = bytes(chance.choice([chance.randint(0xC2, 0xF4), chance.randint(0x80, 0xBF), 0x20, 0x61]) for _ in range(8))
        strings.append(raw.decode(chance.choice(WRONG_ENCODINGS), "replace"))
    return [text for text in strings if not any(unicodedata.category(c) == "Cs" for c in text)]


def digest(tokenizer, texts: list[str]) -> str:
    ids = tokenizer.tokenize(texts).flatten().tolist()
    return hashlib.sha256(struct.pack(f"<{len(ids)}I", *ids)).hexdigest()[:16]


def token_cases(tokenizer) -> dict:
    """Ids of hard strings, and digests of the ids of every character and of every named entity."""
    cases = [[text, tokenizer.tokenize(text)[0].tolist()] for text in hard_strings()]
    # What follows the last end is zeros.
    cases = [[text, ids[: len(ids) - ids[::-1].index(max(ids))]] for text, ids in cases]
    known = [code for code in range(0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Cs")]
    blocks = []
    for block in sorted({code // 1024 for code in known}):
        codes = [code for code in known if code // 1024 == block]
        blocks.append([ranges(codes), digest(tokenizer, [f"a{chr(code)} {chr(code)}B" for code in codes])])
    names = sorted({name for name in html.entities.html5} | {name.upper() for name in html.entities.html5})
    return {
        "unicode": unicodedata.unidata_version,
        "cases": cases,
        "characters": blocks,
        "entities": [names, digest(tokenizer, [f"x &{name} &amp;{name}y" for name in names])],
    }


def ranges(codes: list[int]) -> list[list[int]]:
    """First and last of each run."""
    found = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def notebook_cells(path: Path) -> list[str]:
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def reference_code(checkout: Path, patches: str) -> dict:
    """What the reference's two notebooks define, on the processor. The one about segmentation takes the third value of
    `get_class_and_patch_tokens` for the patches behind the vision head; the second one is those."""
    scope = {name: globals()[name] for name in ("math", "torch", "F", "nn", "Tensor", "TVT", "TVTF", "Callable")}
    segmentation = notebook_cells(checkout / "notebooks" / "dinotxt_segmentation_inference.ipynb")
    classification = notebook_cells(checkout / "notebooks" / "dinotxt_inference.ipynb")
    wanted = ("def encode_image", "def predict_whole", "PROMPT_TEMPLATES = (", "def zeroshot_classifier", "openai_imagenet_templates = (")
    for cell in segmentation + classification:
        if any(start in cell for start in wanted):
            code = cell.replace('device="cuda"', 'device="cpu"').replace(".cuda()", "")
            if patches == "head":
                code = code.replace("cls_tokens, _, patch_tokens =", "cls_tokens, patch_tokens, _ =")
            exec(code.split("\nzeroshot_weights = ")[0], scope)
    (inference,) = [cell for cell in segmentation if "text_feats = []" in cell]
    scope["text_features"] = inference[inference.index("text_feats = []") : inference.index("print(f\"Text features")]
    return scope


class Networks(nn.Module):
    """What Meta's file holds."""

    def __init__(self, model) -> None:
        super().__init__()
        self.head, self.tower = model.visual_model.head, model.text_model


def build(checkout: Path, vocabulary_size: int):
    from dinov3.eval.text.dinotxt_model import DINOTxt, DINOTxtConfig
    from dinov3.eval.text.text_transformer import TextTransformer

    backbone = meta.vit(0, ffn_layer="swiglu", ffn_ratio=2, embed_dim=64, num_heads=2, depth=2)
    backbone.load_state_dict(torch.load(HERE / "meta-vit-swiglu" / "backbone.pth"))
    # As `dinov3/hub/dinotxt.py` builds the published model.
    config = DINOTxtConfig(
        embed_dim=128,
        vision_model_use_class_token=True,
        vision_model_use_patch_tokens=True,
        vision_model_num_head_blocks=2,
        vision_model_patch_tokens_pooler_type="mean",
        vision_model_patch_token_layer=1,
        text_model_tokens_pooler_type="argmax",
        text_model_use_linear_projection=True,
    )
    tower = TextTransformer(
        context_length=77, vocab_size=vocabulary_size, dim=128, num_heads=2, num_layers=2, ffn_ratio=1, is_causal=True
    )
    model = DINOTxt(model_config=config, vision_backbone=backbone, text_backbone=tower).eval()
    networks = randomise(Networks(model), 11)
    state = {f"half.{name}": value.half() for name, value in networks.state_dict().items()}
    networks.load_state_dict({name.removeprefix("half."): value.float() for name, value in state.items()})
    nn.init.constant_(model.logit_scale, 2.0)
    return model, networks


def checkpoint(model) -> dict[str, torch.Tensor]:
    state = {name: value for name, value in model.state_dict().items() if not name.startswith("visual_model.backbone")}
    return {name: value.half() if value.dim() else value for name, value in state.items()}


@torch.no_grad()
def check_mistakes(model, run: Callable[[], Outputs]) -> None:
    """What is easily got wrong must show in the outputs by ten times what the tests allow."""
    expected = run()

    def require_effect(what: str, output: str, least: float = 1e-3) -> None:
        effect = relative_error(run()[output], expected[output])
        assert effect > least, f"{what} changes {output} by no more than {effect}"
        print(f"{what}: {effect:.1e}")

    head, tower = model.visual_model.head, model.text_model
    rope = model.visual_model.backbone.rope_embed(H=3, W=4)
    for block in head.blocks:
        block.usual_forward = block.forward
        block.forward = lambda x, block=block: block.usual_forward(x, rope)
    require_effect("RoPE in the vision head", "patch")
    for block in head.blocks:
        block.forward = block.usual_forward
    for block in tower.backbone.blocks:
        block.is_causal = False
    require_effect("a tower that sees what comes later", "text")
    for block in tower.backbone.blocks:
        block.is_causal = True
    for pooler in ("first", "last"):
        tower.tokens_pooler_type = pooler
        require_effect(f"features at the {pooler} token", "text")
    tower.tokens_pooler_type = "argmax"
    for module in model.modules():
        if isinstance(module, nn.GELU):
            module.approximate = "tanh"
    require_effect("the tanh GELU", "text", 1.2e-4)
    for module in model.modules():
        if isinstance(module, nn.GELU):
            module.approximate = "none"
    assert all(torch.equal(value, expected[name]) for name, value in run().items())


def picture(width: int, height: int, seed: int) -> PIL.Image.Image:
    """Smooth shapes and noise."""
    g = generator(seed)
    coarse = torch.rand(1, 3, 4, 5, generator=g)
    smooth = F.interpolate(coarse, (height, width), mode="bilinear") * 230 + 25 * torch.rand(1, 3, height, width, generator=g)
    return PIL.Image.fromarray(smooth[0].permute(1, 2, 0).numpy().astype(np.uint8))


# Name: picture, short side, side and stride of the windows.
SEGMENTATIONS = {
    "divides": ((64, 48), 48, 32, 16),
    "does-not-divide": ((41, 65), 36, 28, 12),
    "smaller-than-a-window": ((70, 50), 20, 32, 16),
}
CLASSES = ["cat", "the sky", "a red house"]
PROMPTS = ["a photo of a cat.", "the sky", "", "a cat <|endoftext|> and a dog", "in the house " * 40]


@torch.no_grad()
def segmentations(model, tokenizer, code: dict, backbone_code: dict) -> tuple[Outputs, list]:
    scope = code | {
        "class_names": CLASSES,
        "model": model,
        "tokenizer": lambda texts: tokenizer.tokenize(texts),
        "tqdm": type("tqdm", (), {"tqdm": staticmethod(lambda items, **_: items)}),
    }
    exec(scope["text_features"].replace('.to("cuda", non_blocking=True)', ""), scope)
    outputs = {"classes.patch": scope["text_feats"]}
    code["model"] = model
    outputs["classes.picture"] = code["zeroshot_classifier"](CLASSES, code["openai_imagenet_templates"], tokenizer).T
    normalise = TVT.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    cases = []
    for index, (name, (size, short, side, stride)) in enumerate(SEGMENTATIONS.items()):
        image = picture(*size, seed=index)
        resize = scope["ShortSideResize"](short, TVT.InterpolationMode.BICUBIC)
        pixels = TVT.Compose([resize, TVT.ToTensor(), normalise])(image)
        slide = scope["predict_slide"](model, pixels, outputs["classes.patch"], side, stride)
        whole = scope["predict_whole"](model, pixels, outputs["classes.patch"])
        for mode, scores in {"slide": slide, "whole": whole}.items():
            full = F.interpolate(scores.unsqueeze(0), size=size[::-1], mode="bilinear", align_corners=False).squeeze(0)
            outputs |= {f"{name}.{mode}": scores, f"{name}.{mode}.picture": full}
        whole = backbone_code["predict_whole"](model, pixels, outputs["classes.patch"])
        outputs[f"{name}.backbone"] = whole
        stretched = F.interpolate(pixels[None], [math.ceil(n / 16) * 16 for n in pixels.shape[1:]], mode="bicubic", align_corners=False)
        features = model.encode_image(stretched, normalize=True)[0]
        outputs[f"{name}.classification"] = outputs["classes.picture"] @ features
        outputs[f"{name}.rgb"] = torch.from_numpy(np.asarray(image).astype(np.float32))
        cases.append({"name": name, "size": short, "window": side, "stride": stride})
    return outputs, cases


@torch.no_grad()
def main() -> None:
    options = meta.start(argparse.ArgumentParser(description=__doc__))
    from dinov3.eval.text.tokenizer import Tokenizer

    OUT.mkdir(exist_ok=True)
    tokens = token_cases(Tokenizer(vocab_path=str(VOCABULARY)))
    (OUT / "tokens.json").write_text(json.dumps(tokens, separators=(",", ":")))

    lines = gzip.open(VOCABULARY).read().decode().split("\n")[: 1 + MERGES]
    small = OUT / "vocabulary.txt.gz"
    small.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    tokenizer = Tokenizer(vocab_path=str(small))
    model, networks = build(options.dinov3, len(tokenizer.encoder))
    ids = tokenizer.tokenize(PROMPTS)
    pixels = meta.pixels(3, 4, 16, seed=12)

    def run() -> Outputs:
        cls, patch, registers = model.visual_model.get_backbone_features(pixels)
        head = model.visual_model.head(torch.cat([cls.unsqueeze(1), registers, patch], dim=1))
        return {"text": model.encode_text(ids)} | split_tokens(head, 4, 3, 4)

    check_sensitivity("text", networks, run, ())
    check_mistakes(model, run)
    torch.save(checkpoint(model), OUT / "dinotxt.pth")
    codes = [reference_code(options.dinov3, patches) for patches in ("head", "backbone")]
    scores, cases = segmentations(model, tokenizer, *codes)
    tensors = run() | scores | {"pixels": pixels[0], "tokens": ids.float()}
    save_file({name: value.float().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}, OUT / "expected.safetensors")
    (OUT / "expected.safetensors").chmod(0o644)
    (OUT / "cases.json").write_text(json.dumps({"prompts": PROMPTS, "classes": CLASSES, "segmentations": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
