"""`python -m recprism` is the command `recprism`."""

from recprism.cli import main

if __name__ == "__main__":
    main()
