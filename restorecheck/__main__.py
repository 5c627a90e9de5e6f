"""`python -m restorecheck` is the command line."""

from restorecheck.cli import main

if __name__ == "__main__":
    main()
