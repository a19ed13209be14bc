"""Encodes texts with the reference `tokenizers` library and writes what the Go
tests compare with. Run once by hand; needs tokenizers 0.23, for smollm2 also gguf.

    python reference.py tiny OPTICKS                 -> tiny.tokenizer.json, tiny.json
    python reference.py smollm2 MODEL.gguf OPTICKS DATA -> smollm2.json
    python reference.py json MODEL.gguf OUT          -> tokenizer.json of the model

OPTICKS is Isaac.Newton-Opticks.txt of the Go distribution (src/testdata), DATA the
folder of evaluation texts. The fixtures hold ids, counts and hashes, no text of
others. A hash is SHA-256 over the ids as little-endian uint32.
"""

import gzip
import hashlib
import json
import struct
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = Path(__file__).parent
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

AWKWARD = [
    b"", b" ", b"  ", b"\n", b"\n\n\n", b"\r\n", b"\r\n\r\n \r\n", b"\t\t x", b" \n ", b"a \n b", b"a  b   c    d", b"x" + b" " * 300 + b"y",
    b"\n" * 130, b" \t\n\r\x0b\x0c" * 20, b"trailing   ", b"trailing\n", b"   leading", b"a\n\n  b\n \n c ",
    bytes(range(32)), bytes(range(127, 128)), b"\x00", b"a\x00b\x00\x00", b"\x1b[31mred\x1b[0m", b"".join(bytes([c, 65]) for c in range(32)),
    b"0", b"1234567890", b"3.14159, 2,718 and 1e-10", b"a1b22c333d4444", b" 1 22  333", b"2026-11-22T08:11:00Z", "٣٤٥ ۶۷ ४५ 𝟘𝟙 ½ Ⅷ ² ①".encode(),
    b"it's I'm you're they've we'll he'd DON'T IT'S 'S 's '' '", "don’t ‘quoted’ “text” it'ſ".encode(), b"'ll'LL'Ll'lL 'd'D", b"x's's'st",
    "naïve café Ünïcödé ß ẞ Straße İıſK".encode(), "e\u0301 o\u0308 a\u030a\u0323 \u0301x \u0301 n\u0303\u0303\u0303".encode(), "Å Å \u212b \u0041\u030a ﬁ ﬆ".encode(),
    "日本語のテキスト、中文文本。한국어 텍스트".encode(), "漢字かな交じり文12３４".encode(), "ไทย ภาษา العربية עברית हिन्दी বাংলা தமிழ்".encode(), "Ελληνικά Русский Ქართული ՀԱՅ".encode(),
    "🙂🙃👍🏽 👩‍👩‍👧‍👦 🇩🇪🇫🇷 ❤️ ☺︎ 🏴󠁧󠁢󠁥󠁮󠁧󠁿".encode(), "a🙂b 🙂 c".encode(), "\u200b\u200d\ufeff\u00ad\u2060".encode(), "\u00a0x\u2003y\u3000z\u2028w\u2029v\u0085u\u1680t\u202fs".encode(),
    "\u180e\u2800\u3164".encode(), "𐍈𝔘𝔫𝔦𝔠𝔬𝔡𝔢𠀀𪜶".encode(), "\ue000\uf8ff\U000f0000\U0010ffff\ufffe\uffff".encode(), "\ufffd\ufffd".encode(), "ĠhelloĠ Ċ ĉ č".encode(),
    b"\xff", b"\xfe\xff", b"a\x80b", b"\xc3", b"\xc3(", b"\xe2\x82", b"\xe2\x82\xac\xe2\x82", b"\xf0\x9f\x99", b"\xf0\x9f\x99\x82\xf0\x9f", b"\xc0\xaf", b"\xe0\x80\x80", b"\xe0\x9f\xbf",
    b"\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"ok \xe2\x28\xa1 ok", b"\xe2\x82a\xf1\x80\x80b\xf1\x80",
    b"x\xff\xff\xff 1\xfe2 \x80\x80\n", bytes(range(128, 256)), bytes(range(256)) * 2,
    b"func main() {\n\tfmt.Println(\"hi\")\n}\n", b"def f(x):\n    return x**2  # square\n\n\nclass A:\n        pass\n", b"<div class=\"a\">&nbsp;</div>", b"a_b-c.d/e\\f@g#h$i%j^k&l*m", b"!!!???...,,,;;;:::---___===+++",
    b"http://example.org/a?b=c&d=%20#e", b"C:\\Windows\\System32", b"<|endoftext|>", b"<|im_start|>user\nhi<|im_end|>\n", b"== Heading ==\n\n = = Sub = = \n", b"a@-@b @,@ @.@ 1 @,@ 000", b"A" * 200, b"ab" * 150, b"\xe4\xb8\xad" * 120,
    b"1" * 150, b"!" * 150, b" a" * 120, b"Supercalifragilisticexpialidocious antidisestablishmentarianism", b"WHY ARE WE SHOUTING", b"camelCaseIdentifier snake_case_identifier kebab-case",
]
SPECIAL = [b"<|im_start|>user\nhi there<|im_end|>\n<|im_start|>assistant\n", b"a<|endoftext|>b", b"<|im_start|><|im_end|><|im_end", b"<|endoftext|>", b"no special < | >"]

PIECES = ["a", "B", "the", "é", "ß", "Ж", "中", "あ", "ｱ", "ك", "1", "23", "4567", "٣", "½", "Ⅷ", "𝟘", "'s", "'S", "'t", "'RE", "'ve", "'m", "'lL", "'d", "'ſ", "'", "’", " ", " ", " ", "  ", "   ", "\n", "\n", "\r",
          "\r\n", "\t", "\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\u00a0", "\u1680", "\u2003", "\u2028", "\u202f", "\u3000", "\u180e", "\u200b", "\u200d", "\ufeff", "!", "...", "-", "_", "(", "$", "€", "+", "\x00", "\x7f",
          "\u0301", "e\u0301", "A\u030a", "\u0327\u0301", "\u1100\u1161", "🙂", "👍🏽", "🇩🇪", "\ufffd", "𠀀", "ᾳ", "ǆ", "ª", "ʰ", "ꙮ", "\u0e33", "\u0903", "Ġ", "\U0010ffff", "\u1c89", "\U00010d40"]


def random_texts(n=20000):
    """n texts of 1–24 pieces; the generator is repeated in the Go test."""
    x = 1

    def draw(k):
        nonlocal x
        x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
        return (x >> 33) % k

    for _ in range(n):
        yield "".join(PIECES[draw(len(PIECES))] for _ in range(1 + draw(24)))


def digest(ids_lists):
    h, n = hashlib.sha256(), 0
    for ids in ids_lists:
        h.update(struct.pack(f"<{len(ids)}I", *ids))
        n += len(ids)
    return {"tokens": n, "sha256": h.hexdigest()}


def lossy(b):
    return b.decode("utf-8", errors="replace")


def ids(tok, text):
    return tok.encode(text, add_special_tokens=False).ids


def variant(vocab, merges, pre):
    wide = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    t = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=pre == "llama-bpe"))
    if pre == "smollm":
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    elif pre == "gpt-2":
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    elif pre == "prefix-space":
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)
    else:
        rx = LLAMA3 if pre == "llama-bpe" else QWEN2
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(rx), "isolated"), wide])
        if pre == "qwen2":
            t.normalizer = normalizers.NFC()
    t.decoder = decoders.ByteLevel()
    return t


def cases(plain, special, opticks):
    return {
        "awkward": [{"hex": b.hex(), "ids": ids(plain, lossy(b))} for b in AWKWARD],
        "special": [{"hex": b.hex(), "ids": ids(special, lossy(b))} for b in SPECIAL],
        "random": digest(ids(plain, t) for t in random_texts()),
        "opticks": digest([ids(plain, opticks)]),
    }


def tiny(opticks_path):
    opticks = Path(opticks_path).read_text(encoding="utf-8")
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator([opticks], trainers.BpeTrainer(vocab_size=900, initial_alphabet=sorted(alphabet), special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], show_progress=False))
    model = json.loads(t.to_str())["model"]
    merges = [tuple(m) for m in model["merges"]]
    # SmolLM2 lacks some bytes; so does this one: control codes, and bytes that no UTF-8 text contains.
    missing = sorted(set("ĀāĂăĄąĆćÀÁõö÷øùúûüýþÿ") & set(model["vocab"]))
    assert not any(c in m[0] + m[1] for m in merges for c in missing)
    vocab = {s: i for i, s in enumerate(s for s in sorted(model["vocab"], key=model["vocab"].get) if s not in missing)}
    names = [s for s in vocab if s.startswith("<|")]
    out = {"pieces": PIECES, "variants": {}}
    for pre in ("smollm", "gpt-2", "llama-bpe", "qwen2", "prefix-space"):
        # The plain form knows the control tokens as vocabulary only, so that text that spells them is text.
        plain, special = variant(vocab, merges, pre), variant(vocab, merges, pre)
        special.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in names])
        out["variants"][pre] = cases(plain, special, opticks)
        if pre == "smollm":
            special.save(str(HERE / "tiny.tokenizer.json"), pretty=False)
    (HERE / "tiny.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


def from_gguf(path):
    import gguf

    f = gguf.GGUFReader(path).fields
    tokens, types = f["tokenizer.ggml.tokens"].contents(), f["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in f["tokenizer.ggml.merges"].contents()]
    vocab = {s: i for i, s in enumerate(tokens)}
    pre = f["tokenizer.ggml.pre"].contents()
    plain, special = variant(vocab, merges, pre), variant(vocab, merges, pre)
    special.add_special_tokens([AddedToken(s, special=True, normalized=False) for s, k in zip(tokens, types) if k == 3])
    return plain, special


def smollm2(model, opticks_path, data):
    plain, special = from_gguf(model)
    out = cases(plain, special, Path(opticks_path).read_text(encoding="utf-8"))
    data = Path(data)

    def rows(name):
        lines = gzip.open(data / name).read().decode().split("\n")[:-1]
        return "\n\n".join("" if not s.strip() else s + "\n" for s in lines)

    docs = [json.loads(s)["text"] for s in gzip.open(data / "c4/validation.jsonl.gz")]
    for name, text in {
        "wikitext2": rows("wikitext2/test.txt.gz"),
        "calibration": rows("wikitext2/train_raw_prefix.txt.gz"),
        "c4": " ".join(docs[:1100]),
    }.items():
        out[name] = digest([ids(plain, text)]) | {"bytes": len(text.encode()), "text_sha256": hashlib.sha256(text.encode()).hexdigest()}
    out["c4_documents"] = digest(ids(plain, d) for d in docs)
    (HERE / "smollm2.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print({k: v["tokens"] for k, v in out.items() if "tokens" in v})


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["tiny", opticks]:
            tiny(opticks)
        case ["smollm2", model, opticks, data]:
            smollm2(model, opticks, data)
        case ["json", model, out]:
            from_gguf(model)[1].save(out)
        case _:
            sys.exit(__doc__)
