"""Runs every benchmark here, each in a process of its own, and ends with one line: RESULT {name: its result}.

One that takes many minutes has a target of its own, and is left out.
"""

import json
import subprocess
import sys
from pathlib import Path

APART = {"dump", "fleet", "probes", "s3"}  # make bench-dump, bench-fleet, bench-probes, bench-s3


def main() -> int:
    results, failed = {}, []
    scripts = Path(__file__).parent.glob("[!_]*.py")
    for script in sorted(script for script in scripts if script.stem not in APART):
        print(f"== {script.stem}", flush=True)
        last = ""
        with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout or ():
                last = line.rstrip("\n")
                if not last.startswith("RESULT "):
                    print(last, flush=True)
        if child.returncode or not last.startswith("RESULT "):
            failed.append(script.stem)
            continue
        results[script.stem] = json.loads(last.removeprefix("RESULT "))
    if failed:
        print(f"failed, or ended without a RESULT: {', '.join(failed)}")
    print("RESULT " + json.dumps({**results, "failed": failed} if failed else results))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
