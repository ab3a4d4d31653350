"""`python -m treering` is the `treering` command."""

from treering.cli import main

if __name__ == "__main__":
    main()
