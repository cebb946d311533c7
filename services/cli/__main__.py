"""`python -m services.cli`: the command where its script is not installed, as in the container image."""

from services.cli.main import main

if __name__ == "__main__":
    main()
