"""`python -m tests.conformance`: write the page anew; with `caught`, first the table of the cases that catch faults."""

import asyncio
import sys

from .caught import TABLE, caught, chosen, find, written
from .faults import FAULTS
from .page import PAGE, page

if sys.argv[1:2] == ["caught"]:
    wanted = [fault for fault in FAULTS if not sys.argv[2:] or fault.name in sys.argv[2:]]
    found = asyncio.run(find(wanted))
    known = {fault.name for fault in FAULTS} - found.keys()
    beside = {fault: cases for fault, cases in (caught().items() if known else ()) if fault in known}
    table = {**beside, **chosen(found, beside=beside)}
    TABLE.write_text(written({fault.name: table[fault.name] for fault in FAULTS}))
PAGE.write_text(page())
