"""Spoken: names that stand somewhere in a free text, in the upper case and without the signs that banks leave out."""

import re
from collections.abc import Iterable, Iterator

_WORD = re.compile(r"[^\s,;:|+()<>]+")
_SIGNS = re.compile(r"[\W_]+")
_SHORTEST = 6
"""Shorter names stand in any text by chance."""
_MOST_WORDS_OF_A_NAME = 3
_MOST_WORDS = 200
"""Of a text no more are read."""


def plain(name: str) -> str:
    return _SIGNS.sub("", name).upper()


class SpokenNames:
    """Names to be heard in texts; a plain form that two of them share is not heard at all."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[str, str] = {}
        shared = set[str]()
        for name in names:
            short = plain(name)
            if len(short) < _SHORTEST or not any(sign.isdigit() for sign in short):
                continue
            if self._names.setdefault(short, name) != name:
                shared.add(short)
        for short in shared:
            del self._names[short]

    def heard_in(self, *texts: str) -> str:
        """The one name that is heard; empty where there is none, or more than one."""
        if not self._names:
            return ""
        heard = {self._names[words] for text in texts for words in _runs_of_words(text) if words in self._names}
        return heard.pop() if len(heard) == 1 else ""


def _runs_of_words(text: str) -> Iterator[str]:
    words = [plain(word) for word in _WORD.findall(text)[:_MOST_WORDS]]
    digits = [n for n, word in enumerate(words) if any(sign.isdigit() for sign in word)]
    begins = sorted({begin for n in digits for begin in range(max(0, n - _MOST_WORDS_OF_A_NAME + 1), n + 1)})
    for begin in begins:  # each name has a digit, most words have none
        for length in range(1, _MOST_WORDS_OF_A_NAME + 1):
            yield "".join(words[begin : begin + length])
