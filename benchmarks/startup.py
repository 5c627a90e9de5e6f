"""How long `restorecheck --help` takes, in seconds and in bare starts of the interpreter, and what it imports."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from stopwatch import BARE, HELP, IMPORT, best, loaded

ROUNDS = 15
SHOWN = 12


def main() -> None:
    result: dict[str, float] = {}
    bare_modules = set(loaded(BARE))
    for name, arguments in (("help", HELP), ("import", IMPORT)):
        times = best(arguments, rounds=ROUNDS)
        imported = {m: us for m, us in loaded(arguments).items() if m not in bare_modules}
        print(f"{name}: best of {ROUNDS} {times.command * 1000:.0f} ms, bare {times.bare * 1000:.0f} ms,", end=" ")
        print(f"ratio {times.ratio:.1f}, {len(imported)} modules more than bare")
        top = {m: us for m, us in imported.items() if "." not in m}
        for module, us in sorted(top.items(), key=lambda pair: -pair[1])[:SHOWN]:
            print(f"    {us / 1000:7.1f} ms  {module}")
        result[f"{name}_seconds"] = round(times.command, 4)
        result[f"{name}_ratio"] = round(times.ratio, 2)
        result[f"{name}_modules"] = len(imported)
        result["bare_seconds"] = round(times.bare, 4)
    print("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()
