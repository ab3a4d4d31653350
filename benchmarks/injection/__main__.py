"""`python -m benchmarks.injection [train]`: train the model, or print its table of figures."""

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        from benchmarks.injection import train

        train.main()
    else:
        from benchmarks.injection import table

        table.main()
