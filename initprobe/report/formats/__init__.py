"""One file per output format: a function from a Report to a string, registered with ``@report_format`` of ``base``.

To add one, write a module that decorates such a function; its docstring's first line is what ``ls formats`` shows.
Tests find it by themselves and hold it to the contract of ``tests/report/test_formats.py``.
"""
