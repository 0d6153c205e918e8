"""`python -m nightsafe`: the same as the command `nightsafe`."""

from nightsafe.cli import command

if __name__ == "__main__":
    command()
