"""`python -m kinebind`: the command line, as `torchrun -m kinebind train ...` starts it."""

from kinebind.cli import main

if __name__ == "__main__":
    main()
