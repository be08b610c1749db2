"""XML elements: a document as a stream of small finished trees, without document types, entities and endless parts.

The parser is expat, which Python brings along. A document type declaration is refused where it begins, and with it
every entity that could be declared: nothing is expanded and nothing outside of the file is ever read.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO
from xml.parsers import expat

from ledger.report_row import FileRefused

LARGEST_TREE = 1 << 20  # characters of one finished tree, counting each element as a few
LONGEST_MARKUP = 1 << 20  # bytes of one tag, comment or instruction
DEEPEST = 64
_PIECE = 1 << 16
_CHARACTERS_PER_ELEMENT = 64


class Element:
    """One element by its local name, with its children; the text is that of an element without any."""

    __slots__ = ("attributes", "children", "line", "name", "pieces")

    def __init__(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.name, self.attributes, self.line = name, attributes, line
        self.children: list[Element] = []
        self.pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self.pieces).strip()

    def all(self, path: str) -> "list[Element]":
        """Every element below this one at `path`: names with strokes between."""
        found = [self]
        for name in path.split("/"):
            found = [child for one in found for child in one.children if child.name == name]
        return found

    def first(self, path: str) -> "Element | None":
        return next(iter(self.all(path)), None)

    def text_at(self, path: str) -> str:
        """The text of the first element at `path`; empty where there is none."""
        found = self.first(path)
        return found.text if found is not None else ""

    def fields(self, within: str = "") -> "Iterator[tuple[str, str]]":
        """Each text and attribute in the order of the file, by its path: `Amt` and `Amt@Ccy`."""
        for child in self.children:
            path = within + child.name
            if child.children:
                yield from child.fields(path + "/")
            elif text := child.text:
                yield path, text
            for name, value in child.attributes.items():
                yield f"{path}@{name}", value


Part = tuple[str, Element, bool]


def parts(
    file: BinaryIO, root: str, known: Callable[[str, int], None], opened: frozenset[str], detached: frozenset[str]
) -> Iterator[Part]:
    """What stands in each element called `root`: (path, element, whether it is finished).

    The elements at the paths `opened` come twice, begun and finished, and hold nothing: each child of theirs comes by
    itself. So do the elements `detached`, which the tree around them then is without. `known` sees the namespace and
    the line of each root, and may refuse it.
    """
    stream = _Stream(root, known, opened, detached)
    silent = 0
    while piece := file.read(_PIECE):
        stream.heard = False
        stream.parse(piece, final=False)
        yield from stream.ready
        stream.ready.clear()
        silent = 0 if stream.heard else silent + len(piece)
        if silent > LONGEST_MARKUP:
            raise FileRefused("a tag or a comment in it is too long", stream.parser.CurrentLineNumber)
    stream.parse(b"", final=True)
    yield from stream.ready


class _Stream:
    def __init__(
        self, root: str, known: Callable[[str, int], None], opened: frozenset[str], detached: frozenset[str]
    ) -> None:
        self.root, self.known, self.opened, self.detached = root, known, opened, detached
        self.ready: list[Part] = []
        self.heard = False
        self._open: list[Element] = []
        self._paths: list[str] = []
        self._outside = 0
        self._size = 0
        self._sizes: list[int] = []  # before each open element: what is handed over is kept no longer
        self.parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.DefaultHandlerExpand = self._other
        parser.StartDoctypeDeclHandler = self._document_type
        # Not reached behind the one above; a newer expat shall not find another way in.
        parser.EntityDeclHandler = self._entity
        parser.ExternalEntityRefHandler = self._external

    def parse(self, piece: bytes, *, final: bool) -> None:
        try:
            self.parser.Parse(piece, final)
        except expat.ExpatError as error:
            raise FileRefused(f"it is not well-formed XML: {expat.ErrorString(error.code)}", error.lineno) from error
        except (LookupError, ValueError) as error:  # an encoding that Python does not know, or of several bytes
            raise FileRefused(f"its encoding cannot be read: {error}", 1) from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.heard = True
        namespace, _, local = name.rpartition(" ")
        line = self.parser.CurrentLineNumber
        if not self._open and local != self.root:
            self._outside += 1  # an envelope
            if self._outside > DEEPEST:
                raise FileRefused("its elements are nested too deep", line)
            return
        if not self._open:
            self.known(namespace, line)
        path = f"{self._paths[-1]}/{local}" if self._paths else local
        element = Element(local, _by_local_name(attributes) if attributes else {}, line)
        if self._open:
            between = self._open[-1].pieces  # white space
            self._size -= sum(map(len, between))
            between.clear()
            if not self._by_itself(path):
                self._open[-1].children.append(element)
        self._open.append(element)
        self._paths.append(path)
        self._sizes.append(self._size)
        self._grows(_CHARACTERS_PER_ELEMENT + (sum(map(len, attributes.values())) if attributes else 0))
        if len(self._open) > DEEPEST:
            raise FileRefused("its elements are nested too deep", line)
        if path in self.opened:
            self.ready.append((path, element, False))

    def _by_itself(self, path: str) -> bool:
        return path in self.detached or path in self.opened or self._paths[-1] in self.opened

    def _end(self, _: str) -> None:
        self.heard = True
        if not self._open:
            self._outside -= 1
            return
        element, path, size = self._open.pop(), self._paths.pop(), self._sizes.pop()
        if element.children:
            element.pieces.clear()
        if path in self.opened or path in self.detached or (self._paths and self._paths[-1] in self.opened):
            self.ready.append((path, element, True))
            self._size = size

    def _characters(self, text: str) -> None:
        self.heard = True
        if self._open and self._paths[-1] not in self.opened:
            self._open[-1].pieces.append(text)
            self._grows(len(text))

    def _grows(self, characters: int) -> None:
        self._size += characters
        if self._size > LARGEST_TREE:
            raise FileRefused("an entry in it is too large", self.parser.CurrentLineNumber)

    def _other(self, _: str) -> None:
        self.heard = True

    def _document_type(self, *_: object) -> None:
        raise FileRefused("it declares a document type", self.parser.CurrentLineNumber)

    def _entity(self, *_: object) -> None:
        raise FileRefused("it declares an entity", self.parser.CurrentLineNumber)

    def _external(self, *_: object) -> int:
        raise FileRefused("it refers to another file", self.parser.CurrentLineNumber)


def _by_local_name(attributes: dict[str, str]) -> dict[str, str]:
    return {name.rpartition(" ")[2]: value for name, value in attributes.items()}
