"""`python -m supervisor` and the console script `evsup`."""

from supervisor.cli import main

if __name__ == "__main__":
    main()
