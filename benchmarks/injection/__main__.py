"""`python -m benchmarks.injection [train | gate | senses]`: make the model's weights and tables, or print figures."""

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        from benchmarks.injection import train

        train.main(*sys.argv[2:3])
    elif sys.argv[1:2] == ["gate"]:
        from benchmarks.injection import gate

        gate.main()
    elif sys.argv[1:2] == ["senses"]:
        from benchmarks.injection import senses

        senses.main()
    else:
        from benchmarks.injection import table

        table.main()
