"""Every guarantee as a check that runs over any store.

``check("pkg.module:factory")`` returns a `Report`, and ``print(report.to_text())`` shows it.
So does the command ``python -m readfresh.conformance pkg.module:factory``.
`readfresh.conformance.pytest` makes a test for each guarantee.

Read the modules in this order.

- `guarantees`: the slugs and the sentences
- `factory`: what makes the stores
- `points`: where a call can be stopped
- `worker`: what runs in the other processes
- `crew`: the kit's hold on them
- `history`: the evidence
- `operations`: what a session is after a call
- `arena`: stop a call at each point, kill a call at each point
- `capabilities`: what a store can do beyond five methods
- `checks`: one function for each guarantee
- `report`: what was found
- `runner`: all checks, one after another
- `console`: what the command shows on a terminal
- `pytest`: a test for each guarantee
"""

from readfresh.conformance.factory import FactoryError, StoreFactory
from readfresh.conformance.guarantees import GUARANTEES
from readfresh.conformance.report import Report, Result
from readfresh.conformance.runner import check

__all__ = ["GUARANTEES", "FactoryError", "Report", "Result", "StoreFactory", "check"]
