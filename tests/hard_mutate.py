"""Seeded damage: the same seed, the same broken file. For profiles (YAML), stored tables (CSV), the manifest and models."""

import csv
import io
import json
import random

import yaml
from ai_edge_litert import schema_py_generated as schema

ODD = [
    *(None, True, False, -1, 0, 1, 3, 10**30, 1e308, -0.0, 5e-324, float("nan"), float("inf"), "", " ", "none", "x" * 20000),
    *([], [[]], {}, {"a": 1}, [None], ["fp32", "fp32"], [1.0, -1.0], "../../../../etc/passwd", "/dev/zero", "/", "~"),
    *("é\u2028", "\x00", "!!python/object/apply:os.system [id]", "__import__('os')", "$(id)", "digits", "folder", "2026-11-23"),
]
SNIPPETS = [
    *("*a", "&a [*a]", "!!python/object/apply:os.system ['id']", "{", "]", "\t", "\x00", "\x85", ": :", "- ", "? ", "%YAML 9"),
    *("---", "1e999", "9" * 5000, ".nan", "<<: 1", "[" * 2000, "0x", "1_0", "12:30:45", "|", ">", "'", '"', "#", "\ufeff"),
    "!!binary x",
]


def mutated_bytes(content: bytes, chance: random.Random, places: list[int] | None = None) -> bytes:
    """`content` with a few bits flipped, a span replaced, doubled or cut out, or its end missing."""
    data, length = bytearray(content), max(len(content), 1)
    pick = (lambda: chance.choice(places)) if places else (lambda: chance.randrange(length))
    kind = chance.choice(["flip", "flip", "word", "word", "span", "cut", "swap", "double", "end"])
    if kind == "flip":
        for _ in range(chance.choice([1, 1, 2, 8, 64])):
            data[pick() % len(data)] ^= 1 << chance.randrange(8)
    elif kind == "word":  # an offset, an index or a length, as likely as not
        at, value = pick() & ~3, chance.choice([0, 1, 2**31 - 1, 2**32 - 1, chance.getrandbits(32), chance.randrange(1000)])
        data[at : at + 4] = value.to_bytes(4, "little")
    elif kind == "swap":
        a, b = pick() & ~3, pick() & ~3
        data[a : a + 4], data[b : b + 4] = data[b : b + 4], data[a : a + 4]
    elif kind == "end":
        del data[chance.choice([0, 3, 8, 15, pick(), pick(), length - 1]) :]
    else:
        at, size = pick(), chance.choice([1, 4, 16, 1000])
        data[at : at + size] = {"span": chance.randbytes(size), "cut": b"", "double": data[at : at + size] * 2}[kind]
    return bytes(data)


def structural(model: bytes) -> list[int]:
    """Places of a .tflite file that are no weights: all but one of a model's bits are weights, and harmless."""
    found = bytearray(len(model))
    for buffer in schema.ModelT.InitFromPackedBuf(model, 0).buffers:
        content = b"" if buffer.data is None else bytes(buffer.data)
        at = model.find(content) if len(content) > 64 else -1
        if at >= 0:
            found[at : at + len(content)] = b"\x01" * len(content)
    return [at for at, weight in enumerate(found) if not weight]


def mutated_profile(text: str, chance: random.Random) -> bytes:
    """A profile whose text or whose values are wrong, or happen to be right."""
    kind = chance.choice(["bytes", "snippet", "lines", "value", "value", "value", "key"])
    if kind == "bytes":
        return mutated_bytes(text.encode(), chance)
    if kind in ("snippet", "lines"):
        lines = text.splitlines()
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        if kind == "snippet":
            place = chance.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:place] + chance.choice(SNIPPETS) + lines[at][place:]
        else:
            lines[at], lines[other] = chance.choice([(lines[other], lines[at]), ("  " + lines[at], ""), (lines[at] * 2, "- 1")])
        return "\n".join(lines).encode()
    values = yaml.safe_load(text)
    for name in chance.sample(list(values), chance.choice([1, 1, 1, 2, 5])):
        if kind == "value":
            values[name] = chance.choice([*ODD, values[chance.choice(list(values))]])
        else:
            renamed = chance.choice([1, None, True, name.upper(), name[:-1] or "x", name + "s", "In", "é", "__class__", ""])
            values[renamed] = values.pop(name, None)
    return yaml.dump(values, allow_unicode=True).encode()


def mutated_table(content: bytes, chance: random.Random) -> bytes:
    """A CSV file with wrong bytes, cells, columns or rows."""
    if chance.random() < 0.35:
        return mutated_bytes(content, chance)
    rows = list(csv.reader(io.StringIO(content.decode())))
    column, row = chance.randrange(len(rows[0])), chance.randrange(len(rows))
    kind = chance.choice(["cell", "cell", "cell", "column", "drop", "rename", "row", "double", "short", "header"])
    if kind == "cell":
        rows[row][column] = str(chance.choice(ODD))
    elif kind == "column":
        for line in rows[1:]:
            line[column] = str(chance.choice(ODD))
    elif kind == "drop":
        rows = [line[:column] + line[column + 1 :] for line in rows]
    elif kind == "rename":
        rows[0][column] = chance.choice(["", "x", rows[0][0], "evidence"])
    elif kind == "row":
        del rows[row]
    elif kind == "double":
        rows.insert(row, list(rows[row]))
    elif kind == "short":
        rows[row] = rows[row][:column] if chance.random() < 0.5 else [*rows[row], "1", "2"]
    else:
        rows = rows[:1]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def mutated_manifest(content: bytes, chance: random.Random) -> bytes:
    """A manifest with wrong bytes, or with a value somewhere that is another one or missing."""
    if chance.random() < 0.3:
        return mutated_bytes(content, chance)
    root = node = json.loads(content)
    while True:
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if isinstance(node[key], dict | list) and node[key] and chance.random() < 0.85:
            node = node[key]
            continue
        node[key] = chance.choice(ODD)
        if chance.random() < 0.3:
            del node[key]
        return json.dumps(root).encode()
