"""
The suite: `make test`.

rooms/      one file per module of the package
behaviour/  one file per promise
crashes/    real worker processes, killed and frozen
"""
