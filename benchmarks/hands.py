"""What it costs that every run has hands of its own, in memory and time, and how many calls many waiting runs make."""

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fence_cases import REGION, RUN_PERMIT, SCRATCH, SOURCE
from recorder import assumed, identity, instances, recording

from restorecheck.fence import Entrance, Fence, Role
from restorecheck.sources.rds.sightings import Sightings

HANDS = 500
RUNS, MINUTES, EVERY = 50, 10, 30.0


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "AKIABASE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
    }
    with recording() as aws:
        aws.answer("AssumeRole", assumed(SCRATCH))
        aws.answer("GetCallerIdentity", identity(SCRATCH))
        aws.answer("DescribeDBInstances", instances())
        entrances = [{a: Entrance(a, f"arn:aws:iam::{a}:role/restorecheck")} for a in (SOURCE, SCRATCH)]
        fence = Fence(*entrances, endpoint_url=aws.url)
        before = resident()
        fence.hand(Role.SCRATCH, SCRATCH, REGION).call("rds", "DescribeDBInstances")
        first = resident() - before
        before, began = resident(), time.perf_counter()
        hands = [fence.hand(Role.SCRATCH, SCRATCH, REGION, replace(RUN_PERMIT)) for _ in range(HANDS)]
        each = (time.perf_counter() - began) / HANDS
        for hand in hands:
            hand.call("rds", "DescribeDBInstances")
        more = resident() - before

        clock = [0.0]
        names = [f"restorecheck-check-{i}-20261121t0300z" for i in range(RUNS)]
        aws.answer("DescribeDBInstances", instances(*({"DBInstanceIdentifier": name} for name in names)))
        sightings, asked = Sightings(fence, lambda: clock[0]), len(aws.asked)
        while clock[0] <= MINUTES * 60:
            for name in names:
                sightings.instance(Role.SCRATCH, SCRATCH, REGION, name, since=0.0, every=EVERY)
            clock[0] += EVERY
        calls = len(aws.asked) - asked
    print(f"the first hand: {first / 2**20:.1f} MiB")
    print(f"{HANDS} more: {more / HANDS / 1024:.2f} KiB and {each * 1e6:.0f} us each")
    print(f"{RUNS} runs that wait for {MINUTES} min, and look every {EVERY:.0f} s: {calls} calls")
    result = {
        "first_hand_mib": round(first / 2**20, 1),
        "hand_kib": round(more / HANDS / 1024, 2),
        "hand_microseconds": round(each * 1e6, 1),
        "waiting_calls": calls,
    }
    print("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()
