"""Learns the vocabulary of the embedded models: byte-level BPE, 8192 tokens.

    pip install tokenizers==0.23.3
    go run ./kernels/trainer prepare --out DIR
    python kernels/trainer/tokenizer.py DIR/train.jsonl tokenizer.json

Token 0 is <|endoftext|>. The same text gives the same file.
"""

import json
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SIZE = 8192


def articles(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def main(text, out):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(articles(text), trainer)
    if tokenizer.get_vocab_size() != SIZE:
        sys.exit(f"expected {SIZE} tokens, found {tokenizer.get_vocab_size()}: the text is too short")
    tokenizer.save(out, pretty=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
