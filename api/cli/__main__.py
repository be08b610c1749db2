"""Entry point of `python -m api.cli`."""

from api.cli.words import main

if __name__ == "__main__":
    main()
