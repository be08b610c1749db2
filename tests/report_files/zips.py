"""Zips of several members, their names in UTF-8, or without a name."""

import io
import zipfile


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip of these members by name, in their order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def nameless(archive: bytes) -> bytes:
    """The zip with the one letter that is its only member's name taken for something else, in its list of members."""
    at = archive.index(b"PK\x01\x02") + 28
    return archive[:at] + b"\0\0\1\0" + archive[at + 4 :]
