"""Fill a database with runs and say how long their table takes, beside its bars."""

import argparse
import logging
import tempfile
import time
from pathlib import Path

from backend.settings import Settings
from benchmarks.table import measure

ANSWER_BAR_MS, PAINT_BAR_MS, TICK_BAR_MS, TICK_BAR_BYTES = 200, 1000, 20, 10_000
NO_REDIS = "redis://127.0.0.1:1/0"  # nobody listens there: pages are told by the clock alone


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="how many (10,000)")
    count = parser.parse_args().runs
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="lab-table-") as folder:
        settings = Settings(data_dir=Path(folder), redis_url=NO_REDIS, demo=False)
        began_at = time.monotonic()
        measure.prepare(settings, count)
        print(f"{count} runs written in {time.monotonic() - began_at:.1f} s\n\n| what | ms | bar |\n|---|---|---|")
        for name, took_ms in measure.answers_ms(settings).items():
            print(f"| {name} | {took_ms:.0f} | {ANSWER_BAR_MS} |")
        took_ms, size = measure.tick(settings)
        print(f"| live tick, all running runs | {took_ms:.1f} | {TICK_BAR_MS} |")
        with measure.served(settings) as url:
            painted = measure.first_paint_ms(url)
        if painted is not None:
            print(f"| browser: first rows painted | {painted[0]:.0f} | {PAINT_BAR_MS} |")
            print(f"| browser: filtered, from the last key | {painted[1]:.0f} | {ANSWER_BAR_MS} + 250 of waiting |")
    print(f"\nA live tick is {size} bytes; the bar is {TICK_BAR_BYTES}.")


if __name__ == "__main__":
    main()
