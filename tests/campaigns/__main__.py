"""`./run long WORD …`: one long campaign; each word has `--help`."""

import importlib
import sys
from pathlib import Path

_HERE = Path(__file__).parent


def words() -> list[str]:
    """The campaigns there are: the other modules of this folder, with dashes for underscores."""
    return sorted(file.stem.replace("_", "-") for file in _HERE.glob("*.py") if not file.stem.startswith("_"))


def main(arguments: list[str]) -> int:
    word = arguments[0] if arguments else ""
    if word not in words():
        print(f"usage: ./run long WORD …    words: {', '.join(words())}", file=sys.stderr)
        return 0 if word in ("-h", "--help") else 2
    campaign = importlib.import_module(f"tests.campaigns.{word.replace('-', '_')}")
    code: int = campaign.main(arguments[1:])
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
