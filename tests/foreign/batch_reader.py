"""A second reader of the batch format, written from docs/batch-format.md alone, with nothing but the standard library.

`batch_reader.py FIXTURES_BATCH` reads every document of `valid/` in both spellings, compares items, totals and digests, and
refuses the documents of `invalid/` whose fault lies in the CBOR or in a column. It prints OK, or fails with what disagrees.
"""

import hashlib
import json
import sys
from pathlib import Path

KINDS = {1: "airlock bundle", 2: "airlock reply", 3: "airlock approval request", 4: "airlock approval",
         5: "airlock introduction", 6: "airlock signed batch", 7: "airlock policy", 8: "airlock genesis"}


class Refused(Exception):
    """The bytes are not what the format says."""


def need(condition, why):
    if not condition:
        raise Refused(why)


# ---- section 2: deterministic CBOR

def head(data, at):
    need(at < len(data), "ends early")
    major, small = data[at] >> 5, data[at] & 31
    if small < 24:
        return major, small, at + 1
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(small)
    need(size and at + 1 + size <= len(data), "bad head")
    return major, int.from_bytes(data[at + 1:at + 1 + size], "big"), at + 1 + size


def read(data, at=0, depth=12):
    major, value, at = head(data, at)
    if major == 0:
        return value, at
    if major in (2, 3):
        need(value <= len(data) - at, "a string longer than the document")
        raw = data[at:at + value]
        return (raw.decode() if major == 3 else raw), at + value
    if major == 7:
        need(value in (20, 21), "only true and false")
        return value == 21, at
    need(major in (4, 5) and depth > 0 and value <= len(data) - at, "no list or map of that length")
    if major == 4:
        items = []
        for _ in range(value):
            item, at = read(data, at, depth - 1)
            items.append(item)
        return items, at
    fields = {}
    for _ in range(value):
        key, at = read(data, at, 0)
        need(type(key) is int and key not in fields, "keys are distinct integers")
        fields[key], at = read(data, at, depth - 1)
    return fields, at


def write(value):
    def number(major, count):
        for small, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
            if count < 24:
                return bytes([major << 5 | count])
            if count < 1 << 8 * size:
                return bytes([major << 5 | small]) + count.to_bytes(size, "big")
        raise Refused("above 64 bits")
    if value is True or value is False:
        return bytes([0xf5 if value else 0xf4])
    if isinstance(value, int):
        return number(0, value)
    if isinstance(value, bytes):
        return number(2, len(value)) + value
    if isinstance(value, str):
        return number(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return number(4, len(value)) + b"".join(map(write, value))
    return number(5, len(value)) + b"".join(write(key) + write(value[key]) for key in sorted(value))


def document(data):
    need(data[:4] == b"AIRL" and len(data) > 6, "no head")
    need(data[4] in KINDS and data[5] == 1, "unknown kind or version")
    fields, end = read(data, 6)
    need(end == len(data) and write(fields) == data[6:], "not the canonical spelling")
    return KINDS[data[4]], fields


# ---- section 5: columns

def varints(data):
    values, value, shift, last = [], 0, 0, 0
    for last in data:
        value, shift = value | (last & 127) << shift, shift + 7
        if last < 128:
            need(shift == 7 or last > 0, "a varint with a superfluous byte")
            need(value < 1 << 256, "above 256 bits")
            values.append(value)
            value = shift = 0
    need(last < 128, "a varint that does not end")
    return values


def addresses(data, count):
    if len(data) == 20:
        return [data] * count
    parts = [data[at:at + 20] for at in range(0, len(data), 20)]
    need(len(data) == 20 * count and len(set(parts)) > 1, "addresses")
    return parts


def ids(data):
    found, previous = [], 0
    for folded in varints(data):
        previous = (previous + (folded >> 1 if folded % 2 == 0 else -(folded + 1 >> 1))) % (1 << 64)
        found.append(previous)
    return found


def amounts(data):
    unit, wholes = 10 ** data[0], varints(data[1:])
    need(all(whole * unit < 1 << 256 for whole in wholes), "above 256 bits")
    need(any(whole % 10 for whole in wholes) or data[0] == 0 and not any(wholes), "a larger power divides all")
    return [whole * unit for whole in wholes]


def nonces(data):
    numbers = varints(data)
    need(len(numbers) % 2 == 0, "half a run")
    found = []
    for first, length in zip(numbers[::2], numbers[1::2]):
        need(length > 0 and (not found or first != found[-1] + 1), "runs are as long as possible")
        found += range(first, first + length)
    return found


def items(content):
    count = content[15]
    need(1 <= count <= 5000, "count")
    columns = [ids(content[16]), addresses(content[17], count), amounts(content[18])]
    for key, decode in ((19, nonces), (20, varints), (22, list), (23, varints)):
        if key in content:
            columns.append(decode(content[key]))
    need(all(len(column) == count for column in columns), "a column of another length")
    need(all(number < 6 for number in content.get(22, b"")), "roles")
    need(all(number < 1 << 32 for key in (20, 23) for number in varints(content.get(key, b""))), "indexes")
    for key in (24, 25, 27):
        need(content.get(key, [[0, b""]]) and all(pair[0] < count for pair in content.get(key, [])), "pairs")
    need(all(isinstance(value, bytes) and len(value) <= 255 for _, value in content.get(24, [])), "memos")
    need(all(isinstance(value, str) for _, value in content.get(25, [])), "labels")
    return columns


# ---- section 6: digests

def digest(domain, data):
    return hashlib.sha256(domain.encode() + b"\n" + data).hexdigest()


def contents_of(name, fields):
    if name == "airlock bundle":
        return [envelope[0] for envelope in fields[0]]
    if name == "airlock signed batch":
        return [fields[0][0]]
    return [fields[0]] if name == "airlock approval request" else []


def same_terms(name, fields, expected):
    """What custodians sign: the policy or the genesis, whole, and that they signed it."""
    kind = name.removeprefix("airlock ")
    need(digest(f"airlock:{kind}:1", write(fields[0])) == expected[kind], f"{kind} digest")
    need([given[0] for given in fields[1]] == sorted({given[0] for given in fields[1]}), "custodians sorted, each once")


def heads(fields, expected):
    """The journal entries of a receipt are one chain, and its last one makes the head."""
    receipt = fields[0][0][0]
    chain = [digest("airlock:journal:1", write({key: entry[key] for key in range(5)})) for entry in receipt[9] + [receipt[5]]]
    need(chain[-1] == expected["head"], "head")
    if 2 in receipt:
        entries = receipt[9] + [receipt[5]]
        need(all(after[1].hex() == head and after[0] == before[0] + 1
                 for head, before, after in zip(chain, entries, entries[1:])), "the entries are no chain")


def same_items(content, spelled):
    columns = items(content)
    rows = spelled["items"]
    need([int(row["id"]) for row in rows] == columns[0], "ids differ")
    need([int(row["amount"]) for row in rows] == columns[2], "amounts differ")
    if 19 in content:
        need([int(row["account_nonce"]) for row in rows] == columns[3], "nonces differ")
    need({at: bytes.hex(memo) for at, memo in content.get(24, [])}
         == {at: row["memo"] for at, row in enumerate(rows) if "memo" in row}, "memos differ")
    need(int.from_bytes(content[14][1], "big") == sum(columns[2]) == int(spelled["totals"]["amount"]), "totals differ")


def check_valid(folder):
    digests = json.loads((folder / "digests.json").read_text())
    for path in sorted(folder.glob("*.hex")):
        name, fields = document(bytes.fromhex(path.read_text()))
        text = path.with_suffix(".json").read_text()
        spelled = json.loads(text)
        need(text == json.dumps(spelled, indent=2, ensure_ascii=False) + "\n", f"{path.stem}: JSON")
        need((spelled["format"], spelled["version"]) == (name, 1), f"{path.stem}: head")
        contents = contents_of(name, fields)
        spelled_contents = ([envelope["content"] for envelope in spelled["envelopes"]] if name == "airlock bundle"
                            else [spelled.get("envelope", spelled).get("content")])
        for content, other in zip(contents, spelled_contents):
            same_items(content, other)
        found = [digest("airlock:content:1", write(content)) for content in contents]
        expected = digests.get(path.stem, {}).get("content", [])
        need(found == ([expected] if isinstance(expected, str) else expected), f"{path.stem}: content digest")
        if name in ("airlock policy", "airlock genesis"):
            same_terms(name, fields, digests[path.stem])
        if name == "airlock reply":
            heads(fields, digests[path.stem])
        if name == "airlock bundle":
            sealed = [digest("airlock:envelope:1", write({0: bytes.fromhex(found[at]), **{key: envelope[key] for key in (1, 2, 3)}}))
                      for at, envelope in enumerate(fields[0])]
            need(sealed == digests[path.stem]["envelope"], f"{path.stem}: envelope digest")


def check_invalid(folder):
    schema = ("unknown-field", "field-twice", "without-a-field", "number-for-bytes", "signature-of", "list-instead")
    for path in sorted(folder.glob("*.hex")):
        if not path.stem.startswith(("head-", "cbor-", "column-", "count-", "memo-", "label-")):
            continue
        if any(word in path.stem for word in schema):
            continue  # these need the tables of fields, which this reader does not carry
        try:
            name, fields = document(bytes.fromhex(path.read_text()))
            need(path.stem != "head-of-another-document" or name == "airlock bundle", "another document")
            for content in contents_of(name, fields):
                items(content)
        except (Refused, UnicodeDecodeError, KeyError, TypeError, IndexError):
            continue
        raise SystemExit(f"{path.name} was not refused")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    check_valid(root / "valid")
    check_invalid(root / "invalid")
    print("OK")
