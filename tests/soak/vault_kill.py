"""500 times kill -9 while a store is changed, at seeded random times: nothing acknowledged is lost.

--cycles N and --seed N choose others. Ends with a histogram of where the processes were killed.
"""

import sys

from vault.kill_test import main

if __name__ == "__main__":
    sys.exit(main())
