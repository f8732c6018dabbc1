"""Writes hpack.txt: field sections as Python's hpack encodes them (`pip install hpack`), with what they say.

    python3 make_hpack.py > hpack.txt

`new` begins a connection; a line is the block in hexadecimal, ` = `, and its fields, `name: value` between bars.
"""

import random

from hpack import Encoder

NAMES = ["accept", "user-agent", "x-request-id", "content-type", "etag", "x-a", "set-cookie", "server", "x-trace-of-call"]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%&'()*+,-./:;<=>?@[]^_`{}~\"\\"


def value(dice):
    return "".join(dice.choice(LETTERS) for _ in range(dice.choice([0, 1, 3, 9, 30, 90]))).strip()


def main():
    dice = random.Random(7541)
    print("# Written by make_hpack.py.")
    for _ in range(12):
        encoder = Encoder()
        encoder.header_table_size = dice.choice([4096, 4096, 4096, 1024, 200, 0])
        print("new")
        known = []
        for _ in range(12):
            fields = []
            for _ in range(dice.randint(1, 9)):
                if known and dice.random() < 0.6:
                    fields.append(dice.choice(known))
                else:
                    fields.append((dice.choice(NAMES), value(dice)))
                    known.append(fields[-1])
            block = encoder.encode(fields, huffman=dice.random() < 0.8)
            text = "|".join(f"{name}: {text}" for name, text in fields)
            print(block.hex(), "=", text)


if __name__ == "__main__":
    main()
