"""What a loss of power may leave.

- `model`: which disks may be left of what was done to one, by rules that are stated there
- `simulated`: a disk in memory that keeps to the model; the tests of the guarantees use it too
- `recorded`: what real store code does to a real folder, written down where Python asks the system for it
- `programs`: what is done before the power is lost
- `judge`: cuts the power at each moment of a record, and looks at each session on each disk that may be left
- `trial`: runs programs through the judge
- `settings`: ways to flush less; `measure` counts what each loses, `table` shows it
- `real`, `machine`: a real ext4 whose power is cut
- `parts`: what each setting of a store must keep

`python -m tests.proofs.power` prints what each way to flush may lose.
"""
