"""An adaptive binary range coder for small differences; a device decodes it with a few kilobytes of RAM.

A difference d is told as the bit length n of |d| (a unary code: n = 0 for an unchanged weight), its sign, then the
bits below the first. Every binary decision has a probability of its own that follows the data; for n it also depends
on how large the differences just before were, since the channels of a layer move by different amounts (the idea of
DeepCABAC, Wiedemann et al. 2020). The range coder is that of LZMA (Igor Pavlov, LZMA specification), its
probabilities the mean of a fast and a slow one, as in H.266.
"""

import numpy as np

LEVELS, LONGEST = 24, 32  # contexts by recent size; the longest difference in bits
_ONE, _TOP, _ALL = 1 << 16, 1 << 24, 0xFFFFFFFF
_FAST, _SLOW = 5, 7  # a probability moves by 1/32 and by 1/128 of what it lacks
_SIGN = LEVELS * (LONGEST + 1)
_BITS = _SIGN + 1  # 3 contexts for each length: the first bit, the second after a 0, the second after a 1
CONTEXTS = _BITS + 3 * (LONGEST + 1)
RAM_BYTES = CONTEXTS * 2 * 2 + 16  # two probabilities of 16 bits for each context, and the coder's own words


def level(recent: int) -> int:
    """The context of a running mean of bit lengths, in 1/64 bit: fine steps near 0, then one a bit."""
    return recent >> 2 if recent < 48 else min(12 + (recent - 48 >> 6), LEVELS - 1)


_LEVEL_OF = [level(recent) * (LONGEST + 1) for recent in range(64 * (LONGEST + 1))]


class _Coder:
    def __init__(self):
        self.span, self.fast, self.slow = _ALL, [_ONE // 2] * CONTEXTS, [_ONE // 2] * CONTEXTS

    def code_values(self, values) -> list[int]:
        """Both directions: an encoder is given the values, a decoder their number of unknown ones (None)."""
        bit, done, recent = self.bit, [], 0
        for value in values:
            size = None if value is None else abs(value)
            length = self.length(_LEVEL_OF[recent], None if size is None else size.bit_length())
            if length:
                negative = bit(_SIGN, None if value is None else value < 0)
                known, told = 1, _BITS + 3 * length
                for place in range(length - 2, -1, -1):
                    depth = length - 2 - place
                    context = told if depth == 0 else told + 1 + (known & 1) if depth == 1 else -1
                    known = known << 1 | bit(context, None if size is None else size >> place & 1)
                done.append(-known if negative else known)
            else:
                done.append(0)
            recent += ((length << 6) - recent) >> 3
        return done

    def length(self, context: int, length: int | None) -> int:
        """The unary code of a bit length."""
        for n in range(LONGEST):
            if not self.bit(context + n, None if length is None else n < length):
                return n
        return LONGEST

    def learn(self, context: int, bit) -> None:
        if bit:
            self.fast[context] -= self.fast[context] >> _FAST
            self.slow[context] -= self.slow[context] >> _SLOW
        else:
            self.fast[context] += (_ONE - self.fast[context]) >> _FAST
            self.slow[context] += (_ONE - self.slow[context]) >> _SLOW

    def split(self, context: int) -> int:
        """The part of the range that a 0 gets."""
        return self.span >> 1 if context < 0 else (self.span >> 17) * (self.fast[context] + self.slow[context])


class _Encoder(_Coder):
    def __init__(self):
        super().__init__()
        self.low, self.cache, self.pending, self.out = 0, 0, 0, bytearray()

    def bit(self, context: int, bit) -> int:
        bound = self.split(context)
        if bit:
            self.low += bound
            self.span -= bound
        else:
            self.span = bound
        if context >= 0:
            self.learn(context, bit)
        while self.span < _TOP:
            self.span <<= 8
            self.shift()
        return int(bit)

    def shift(self) -> None:
        """Put out the top byte; one of 255 waits, as a carry may still come."""
        carry, top = self.low >> 32, self.low >> 24 & 0xFF
        if carry or top < 0xFF:
            self.out.append(self.cache + carry & 0xFF)
            self.out += bytes([0xFF + carry & 0xFF]) * self.pending
            self.cache, self.pending = top, 0
        else:
            self.pending += 1
        self.low = (self.low & 0xFFFFFF) << 8


class _Decoder(_Coder):
    def __init__(self, content: bytes):
        super().__init__()
        self.content, self.place = content, 4
        self.code = int.from_bytes(content[:4].ljust(4, b"\0"), "big")

    def bit(self, context: int, _) -> int:
        bound = self.split(context)
        bit = self.code >= bound
        if bit:
            self.code -= bound
            self.span -= bound
        else:
            self.span = bound
        if context >= 0:
            self.learn(context, bit)
        while self.span < _TOP:
            self.span <<= 8
            following = self.content[self.place] if self.place < len(self.content) else 0  # an encoder drops final zeros
            self.code, self.place = self.code << 8 | following, self.place + 1
        return int(bit)


def encode(values: np.ndarray) -> bytes:
    """The differences (N,), integers from -2**32 + 1 to 2**32 - 1, as bytes."""
    encoder = _Encoder()
    encoder.code_values(values.tolist())
    for _ in range(5):
        encoder.shift()
    return bytes(encoder.out[1:]).rstrip(b"\0")


def decode(content: bytes, count: int) -> np.ndarray:
    """`count` differences, int64. Any bytes decode to something: whether it is right, only a checksum tells."""
    return np.array(_Decoder(content).code_values([None] * count), np.int64)
