"""Valid files with some changes: what a disk, a network or an enemy may make of them."""

from hypothesis import strategies as st

MOST = 4  # changes of one file
HEADER = 64  # first bytes of a file, in which formats have most of their fields
LONGEST = 64  # bytes that are taken out, or repeated
REPEATS = 50
NUMBERS = [
    number.to_bytes(size, order)
    for size in (1, 2, 4, 8)
    for number in (0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
    for order in ("little", "big")
]
WORDS = [
    *(b"-1", b"256", b"0.5", b"1e999", b"9" * 30, b"9" * 5000, b"NaN", b"Infinity", b"None"),
    *(
        b"true",
        b"|O",
        b"<f8",
        b"label",
        b"images",
        b"pixel0",
        b"bytes",
        b"chunked",
        b"%00",
        b"/../",
    ),
    *(
        b"'",
        b'"',
        b",",
        b":",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\\ud800",
    ),
    *(b"(" * 300, b"[" * 5000, b"{" * 300, b"-" * 5000, b'{"a":' * 3000),
]
PIECES = st.sampled_from(NUMBERS) | st.sampled_from(WORDS) | st.binary(min_size=1, max_size=13)
CHANGES = st.sampled_from(["flip", "overwrite", "insert", "delete", "repeat", "cut", "splice"])


@st.composite
def mutated(draw, corpus):
    """Return the strategy of members of a corpus, each with one to four changes."""
    data = draw(st.sampled_from(corpus))
    for _ in range(draw(st.integers(1, MOST))):
        data = _change(draw, data, corpus)
    return data


def _change(draw, data, corpus):
    at = draw(st.integers(0, min(len(data), HEADER)) | st.integers(0, len(data)))
    before, after = data[:at], data[at:]
    match draw(CHANGES):
        case "flip" if after:
            after = bytes([after[0] ^ draw(st.integers(1, 255))]) + after[1:]
        case "overwrite":
            piece = draw(PIECES)
            after = piece + after[len(piece) :]
        case "insert":
            after = draw(PIECES) + after
        case "delete":
            after = after[draw(st.integers(1, LONGEST)) :]
        case "repeat":
            after = draw(st.integers(1, REPEATS)) * after[: draw(st.integers(1, LONGEST))] + after
        case "cut":
            after = b""
        case "splice":
            other = draw(st.sampled_from(corpus))
            after = other[draw(st.integers(0, len(other))) :]
    return before + after
